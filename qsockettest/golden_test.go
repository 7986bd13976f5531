package qsockettest

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket"
)

// fakeTB records what a test would report.
type fakeTB struct {
	testing.TB
	logs, errors []string
	fatal        string
}

func (f *fakeTB) Helper()      {}
func (f *fakeTB) Name() string { return "TestProtocol/orders" }
func (f *fakeTB) Logf(format string, args ...any) {
	f.logs = append(f.logs, fmt.Sprintf(format, args...))
}
func (f *fakeTB) Errorf(format string, args ...any) {
	f.errors = append(f.errors, fmt.Sprintf(format, args...))
}
func (f *fakeTB) Fatalf(format string, args ...any) {
	f.fatal = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// runGolden calls Golden with a fake, on a goroutine that ends with the call.
func runGolden[T any](p qsocket.Protocol[T]) *fakeTB {
	f := &fakeTB{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		Golden(f, p)
	}()
	<-done
	return f
}

type (
	placed struct {
		ID    uint64
		Price float64
	}
	placedMore struct {
		ID    uint64
		Price float64
		Venue string
	}
	placedOther struct {
		ID    uint64
		Price string
		Venue string
	}
)

// protocol is orders/1 with another type.
func protocol[T any]() qsocket.Protocol[T] {
	return qsocket.Protocol[T]{Name: "orders/1", Codec: namedCodec[T]{qsocket.Msgpack[T]()}}
}

// namedCodec calls every type Placed, as if it were the same one at other times.
type namedCodec[T any] struct{ qsocket.Codec[T] }

func (c namedCodec[T]) Schema() string {
	text := qsocket.Protocol[T]{Codec: c.Codec}.Schema()
	for _, name := range []string{"placedMore", "placedOther", "placed"} {
		text = strings.ReplaceAll(text, name, "Placed")
	}
	return text
}

// record writes the file for p.
func record[T any](t *testing.T, p qsocket.Protocol[T]) *fakeTB {
	t.Helper()
	t.Setenv("QSOCKET_UPDATE", "1")
	f := runGolden(p)
	t.Setenv("QSOCKET_UPDATE", "")
	if f.fatal != "" || len(f.errors) > 0 {
		t.Fatalf("-update: %+v", f)
	}
	return f
}

func TestGolden(t *testing.T) {
	t.Chdir(t.TempDir())
	record(t, protocol[placed]())
	got, err := os.ReadFile("testdata/orders_1.protocol")
	if err != nil {
		t.Fatal(err)
	}
	want := `# protocol "orders/1"
# What its messages look like on the wire; docs/schema.md of qsocket explains the form.
# qsockettest.Golden compares the code with it; QSOCKET_UPDATE=1 go test writes it.
msgpack
message Placed
struct Placed
 ID uint64
 Price float64
`
	if string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if f := runGolden(protocol[placed]()); f.fatal != "" || len(f.errors)+len(f.logs) > 0 {
		t.Errorf("nothing has changed, but %+v", f)
	}
	crlf := strings.ReplaceAll(want, "\n", "\r\n")
	if err := os.WriteFile("testdata/orders_1.protocol", []byte(crlf), 0o666); err != nil {
		t.Fatal(err)
	}
	if f := runGolden(protocol[placed]()); f.fatal != "" || len(f.errors)+len(f.logs) > 0 {
		t.Errorf("only the ends of lines have changed, but %+v", f)
	}
	untitled := "# What the messages look like.\n" + want[strings.Index(want, "msgpack\n"):]
	if err := os.WriteFile("testdata/orders_1.protocol", []byte(untitled), 0o666); err != nil {
		t.Fatal(err)
	}
	if f := runGolden(protocol[placed]()); f.fatal != "" || len(f.errors)+len(f.logs) > 0 {
		t.Errorf("a record without a title is valid, but %+v", f)
	}
}

// Two protocols whose names make the same file name have no record in common.
func TestGoldenOfAnotherProtocol(t *testing.T) {
	t.Chdir(t.TempDir())
	record(t, protocol[placed]())
	p := protocol[placed]()
	p.Name = "orders_1"
	t.Setenv("QSOCKET_UPDATE", "breaking")
	if f := runGolden(p); !strings.Contains(f.fatal, `is the record of protocol "orders/1", and not of protocol "orders_1"`) {
		t.Errorf("got %+v", f)
	}
}

func TestGoldenMissing(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, file := range map[string]string{"orders/1": "orders_1", "": "raw", `a\b c:d`: "a_b_c_d"} {
		p := qsocket.Protocol[placed]{Name: name}
		want := "QSOCKET_UPDATE=1 go test -run TestProtocol writes it to " + filepath.Join("testdata", file+".protocol")
		if f := runGolden(p); !strings.HasSuffix(f.fatal, want) {
			t.Errorf("%q: got %+v, want %s", name, f, want)
		}
	}
}

// What breaks fails, and is not recorded unless that is said.
func TestGoldenBreaking(t *testing.T) {
	t.Chdir(t.TempDir())
	record(t, protocol[placed]())
	want := `protocol "orders/1" is not what ` + filepath.Join("testdata", "orders_1.protocol") + ` records.

breaks:
  field Placed.Price was float64 and is string now
    old sender, new receiver: it cannot be decoded: the connection ends
    new sender, old receiver: it cannot be decoded: the connection ends

safe:
  field Placed.Venue is new (string)
    old sender, new receiver: it arrives empty
    new sender, old receiver: old peers skip it

Give the protocol a new version in its Name, which makes it another one, or take back what breaks. If no peer of the recorded version is left, QSOCKET_UPDATE=breaking go test -run TestProtocol records it.`
	for _, update := range []string{"", "1", "true"} {
		t.Setenv("QSOCKET_UPDATE", update)
		if f := runGolden(protocol[placedOther]()); f.fatal != "" || len(f.errors) != 1 || f.errors[0] != want {
			t.Errorf("QSOCKET_UPDATE=%q: got %+v, want the error\n%s", update, f, want)
		}
	}
	t.Setenv("QSOCKET_UPDATE", "")
	if f := runGolden(protocol[placed]()); f.fatal != "" || len(f.errors) > 0 {
		t.Errorf("the record has changed: %+v", f)
	}
	t.Setenv("QSOCKET_UPDATE", "breaking")
	if f := runGolden(protocol[placedOther]()); len(f.errors) > 0 || !strings.Contains(strings.Join(f.logs, "\n"), "recorded what breaks:\n  field Placed.Price was float64") {
		t.Errorf("got %+v", f)
	}
	t.Setenv("QSOCKET_UPDATE", "")
	if f := runGolden(protocol[placedOther]()); f.fatal != "" || len(f.errors)+len(f.logs) > 0 {
		t.Errorf("recorded, but %+v", f)
	}
}

// A safe change fails as well until it is recorded: or else nobody would notice what a later
// one does to it.
func TestGoldenSafe(t *testing.T) {
	t.Chdir(t.TempDir())
	record(t, protocol[placed]())
	f := runGolden(protocol[placedMore]())
	if len(f.errors) != 1 || !strings.Contains(f.errors[0], "\nsafe:\n  field Placed.Venue is new (string)\n") || strings.Contains(f.errors[0], "breaks") ||
		!strings.HasSuffix(f.errors[0], "If that is meant, QSOCKET_UPDATE=1 go test -run TestProtocol records it.") {
		t.Errorf("got %+v, want an error about a safe change", f)
	}
	record(t, protocol[placedMore]())
	if f := runGolden(protocol[placedMore]()); len(f.errors)+len(f.logs) > 0 {
		t.Errorf("recorded, but %+v", f)
	}
	f = runGolden(protocol[placedOther]())
	if len(f.errors) != 1 || !strings.Contains(f.errors[0], "breaks:\n  field Placed.Price") || strings.Contains(f.errors[0], "Venue") {
		t.Errorf("the next change: got %+v", f)
	}
}

func TestGoldenUnknown(t *testing.T) {
	t.Chdir(t.TempDir())
	p := qsocket.Protocol[placed]{Name: "orders/1", Codec: qsocket.Stateless[placed]("mine", nil, nil)}
	if f := runGolden(p); !strings.Contains(f.fatal, `codec "mine" does not tell what messages of protocol "orders/1" look like`) {
		t.Errorf("got %+v", f)
	}
}

func TestGoldenDamaged(t *testing.T) {
	t.Chdir(t.TempDir())
	record(t, protocol[placed]())
	file := "testdata/orders_1.protocol"
	for _, text := range []string{"", "# nothing else", "<<<<<<< ours\nmsgpack\n"} {
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		for _, update := range []string{"", "1"} {
			t.Setenv("QSOCKET_UPDATE", update)
			if f := runGolden(protocol[placed]()); !strings.Contains(f.fatal, "is damaged") || !strings.Contains(f.fatal, "schema: line") || !strings.Contains(f.fatal, "QSOCKET_UPDATE=breaking") {
				t.Errorf("%q: got %+v", text, f)
			}
		}
	}
	t.Setenv("QSOCKET_UPDATE", "breaking")
	runGolden(protocol[placed]())
	t.Setenv("QSOCKET_UPDATE", "")
	if f := runGolden(protocol[placed]()); f.fatal != "" {
		t.Errorf("written anew, but %+v", f)
	}
}

// TestUpdateFlag runs itself with -update, in a directory of its own.
func TestUpdateFlag(t *testing.T) {
	const inner = "QSOCKETTEST_INNER"
	if os.Getenv(inner) != "" {
		Golden(t, protocol[placed]())
		return
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, args := range [][]string{{"-update"}, {"--update"}, {"-update=true"}, nil} {
		if args != nil {
			_ = os.RemoveAll(filepath.Join(dir, "testdata"))
		}
		cmd := exec.Command(exe, append([]string{"-test.run=^TestUpdateFlag$"}, args...)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), inner+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%q: %v\n%s", args, err, out)
		}
		if _, err := os.Stat(filepath.Join(dir, "testdata/orders_1.protocol")); err != nil {
			t.Errorf("%q: %v", args, err)
		}
	}
}

// A test binary may define -update after this package has been initialized.
func TestUpdateFlagOfTheProgram(t *testing.T) {
	for _, own := range []bool{false, true} {
		flags := flag.NewFlagSet("test", flag.ContinueOnError)
		args := defineLate(flags, []string{"test", "-v", "-update", "rest"})
		flags.Bool("v", false, "")
		var update *bool
		if own {
			update = flags.Bool("update", false, "")
		}
		if err := flags.Parse(args[1:]); err != nil {
			t.Fatal(err)
		}
		if f := flags.Lookup("update"); f == nil || f.Value.String() != "true" || own && !*update {
			t.Errorf("own flag %v: got %v", own, f)
		}
		if flags.NArg() != 1 || flags.Arg(0) != "rest" {
			t.Errorf("got arguments %q", flags.Args())
		}
	}
	if args := []string{"test", "-v"}; len(defineLate(flag.NewFlagSet("", flag.ContinueOnError), args)) != 2 {
		t.Errorf("arguments without -update have changed")
	}
}

// A case in a codec that the union did not use before changes the union's name, and
// with it what the hello of every old peer compares.
func TestGoldenUnionWithAnotherCodec(t *testing.T) {
	t.Chdir(t.TempDir())
	union := func(more ...qsocket.Variant[any]) qsocket.Protocol[any] {
		return qsocket.Protocol[any]{Name: "orders/1", Codec: qsocket.Union(append(more, qsocket.Case[any](1, qsocket.Msgpack[placed]()))...)}
	}
	record(t, union())
	if f := runGolden(union(qsocket.Case[any](2, qsocket.Msgpack[string]()))); strings.Contains(strings.Join(f.errors, ""), "codec is") {
		t.Errorf("a case in the same codec: %q", f.errors)
	}
	f := runGolden(union(qsocket.Case[any](2, qsocket.Gob[string]())))
	if all := strings.Join(f.errors, "\n"); !strings.Contains(all, "union(msgpack)") || !strings.Contains(all, "union(msgpack,gob)") {
		t.Errorf("a case in another codec: got %q, want the names of both", f.errors)
	}
}

// untellable has a name that is too long for a description.
type untellable struct {
	A int `msgpack:"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"`
}

// What cannot be described is not the same as what nothing is known of: in a union, too,
// where the case would pass for one that does not change.
func TestGoldenUntold(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("QSOCKET_UPDATE", "1") // the worst case: it would record a case of which it sees nothing
	for name, f := range map[string]*fakeTB{
		"the default codec": runGolden(qsocket.Protocol[untellable]{Name: "orders/1"}),
		"a case":            runGolden(qsocket.Protocol[any]{Name: "orders/1", Codec: qsocket.Union(qsocket.Case[any](1, qsocket.Msgpack[placed]()), qsocket.Case[any](3, qsocket.Msgpack[untellable]()))}),
	} {
		want := `cannot tell what messages of protocol "orders/1" look like: `
		if name == "a case" {
			want += "case 3: "
		}
		if !strings.Contains(f.fatal, want+"schema: line") {
			t.Errorf("%s: got %+v, want it to be fatal: %s", name, f, want)
		}
	}
}

// level is an enumeration that has got a text.
type level int

func (l level) MarshalText() ([]byte, error)     { return []byte{'0' + byte(l)}, nil }
func (l *level) UnmarshalText(text []byte) error { *l = level(text[0] - '0'); return nil }

// What was known and is opaque now, or the reverse, most likely breaks.
func TestGoldenOfTypesThatGetMethods(t *testing.T) {
	type placed struct{ Side int }
	t.Chdir(t.TempDir())
	record(t, protocol[placed]())
	{
		type placed struct{ Side level }
		if f := runGolden(protocol[placed]()); len(f.errors) != 1 || !strings.Contains(f.errors[0], "breaks:\n  field Placed.Side was int") {
			t.Errorf("got %+v, want an error about Placed.Side", f)
		}
		t.Setenv("QSOCKET_UPDATE", "breaking")
		runGolden(protocol[placed]())
		t.Setenv("QSOCKET_UPDATE", "")
	}
	if f := runGolden(protocol[placed]()); len(f.errors) != 1 || !strings.Contains(f.errors[0], "breaks:") {
		t.Errorf("got %+v, want an error about Placed.Side", f)
	}
}
