package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

type (
	deal interface{ isDeal() }
	sale struct {
		ID    uint64
		Price float64
		At    time.Time
		Tags  []string
	}
	refund struct {
		ID   uint64
		Note []byte
	}
)

func (sale) isDeal()   {}
func (refund) isDeal() {}

var deals = qsocket.Protocol[deal]{
	Name: "deals/1",
	Codec: qsocket.Union(
		qsocket.Case[deal](1, qsocket.Msgpack[sale]()),
		qsocket.Case[deal](2, qsocket.Msgpack[refund]()),
		qsocket.SkipUnknown[deal](),
	),
}

var ticks = qsocket.Protocol[map[string]any]{Name: "ticks/1"}

// filling answers each sale with a refund.
func filling(ctx context.Context, c *qsocket.Conn[deal]) {
	for m, err := range c.All(ctx) {
		o, ok := m.(sale)
		if err != nil || ok && c.Send(ctx, refund{o.ID, []byte{1}}) != nil {
			return
		}
	}
}

func TestCat(t *testing.T) {
	s := serve(t, deals, nil, echoing[deal])
	in := `{"case":"sale","value":{"ID":18446744073709551615,"Price":1.5,"At":"2026-01-02T03:04:05.678901234Z","Tags":["a","é\u2028"]}}
  {"value": {"ID": 2, "Note": "AAE="}, "case": 2}

{"case":"refund","value":{}}`
	want := `{"case":"sale","value":{"ID":18446744073709551615,"Price":1.5,"At":"2026-01-02T03:04:05.678901234Z","Tags":["a","é\u2028"]}}
{"case":"refund","value":{"ID":2,"Note":"AAE="}}
{"case":"refund","value":{"ID":0,"Note":null}}
`
	for _, run := range []func(testing.TB, string, ...string) outcome{runsWith, runsBuilt} {
		got := run(t, in, "cat", s.url)
		got.want(t, exitWell)
		if got.out != want || got.err != "" {
			t.Errorf("got %s%s, want %s", got.out, got.err, want)
		}
		// What is printed can be sent.
		if again := run(t, got.out, "cat", s.url); again.out != want {
			t.Errorf("got %s, want %s", again.out, want)
		}
	}
	if s.stop(); s.loud.text() != "" && !strings.Contains(s.loud.text(), "differ") {
		t.Errorf("the server has logged %s", s.loud.text())
	}
}

func TestCatArguments(t *testing.T) {
	s := serve(t, deals, nil, filling)
	got := runs(t, "cat", "-x", `{"case":"sale","value":{"ID":1}}`, "-x", `{"case":"sale","value":{"ID":2}}`, s.url)
	got.want(t, exitWell)
	if want := "{\"case\":\"refund\",\"value\":{\"ID\":1,\"Note\":\"AQ==\"}}\n{\"case\":\"refund\",\"value\":{\"ID\":2,\"Note\":\"AQ==\"}}\n"; got.out != want {
		t.Errorf("got %s, want %s", got.out, want)
	}
	got = runs(t, "cat", "-x", `{"case":"sale","value":{"ID":1}}`, "-x", `{"case":"sale","value":{"ID":"x"}}`, s.url)
	got.want(t, exitUsage, `qsocket: message 2: case the string "sale": sale.ID: want uint64, got the string "x"`, `{"ID":1,`)
}

// Of what was sent before a line that is wrong, nothing is lost.
func TestCatBadLine(t *testing.T) {
	s := serve(t, ticks, nil, echoing[map[string]any])
	got := runsWith(t, "{\"a\":1}\n\n{\"b\":}\n{\"c\":3}\n", "cat", s.url)
	got.want(t, exitUsage, `qsocket: line 3: not JSON: want a value at byte 5, got "}"`)
	if want := "{\"a\":1}\n"; got.out != want {
		t.Errorf("got %s, want %s", got.out, want)
	}
	// A message that is too large for the server is one of its own line, too.
	small := serve(t, ticks, &qsocket.Options{MaxFrame: 16}, echoing[map[string]any])
	runsWith(t, "{\"a\":1}\n{\"b\":\"0123456789abcdef\"}\n", "cat", small.url).want(t, exitUsage, "qsocket: line 2: ", "exceeds", `{"a":1}`)
}

func TestCatFormats(t *testing.T) {
	s := serve(t, deals, nil, echoing[deal])
	in := `{"case":"refund","value":{"ID":7,"Note":null}}`
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"-f", `%n %s %c %v%%\t%m\\`}, `^1 12 refund \{"ID":7,"Note":null\}%` + "\t" + `\{"case":"refund","value":\{"ID":7,"Note":null\}\}\\` + "\n$"},
		{[]string{"-f", `%t %d`}, `^\d{4}-\d\d-\d\dT[0-9:.]+\S* 0` + "\n$"},
		{[]string{"-t"}, `^\d\d:\d\d:\d\d\.\d{6} \+0\.000000s \{"case"`},
		{[]string{"--json"}, `^\{"n":1,"time":"[^"]+","delta_ms":0,"size":12,"case":"refund","message":\{"case":"refund","value":\{"ID":7,"Note":null\}\}\}` + "\n$"},
	} {
		got := runsWith(t, in, append(append([]string{"cat"}, test.args...), s.url)...)
		got.want(t, exitWell)
		if !regexp.MustCompile(test.want).MatchString(got.out) {
			t.Errorf("%q: got %q, want %s", test.args, got.out, test.want)
		}
		if test.args[0] == "--json" && !json.Valid([]byte(got.out)) {
			t.Errorf("%s is not JSON", got.out)
		}
	}
	for args, want := range map[string]string{"-f %x": "--format has %x", "-f %": "--format ends in %", "-f %m --json": "want one of them", "--count=-1": "want 1 or more"} {
		runs(t, append(append([]string{"cat"}, strings.Fields(args)...), s.url)...).want(t, exitUsage, want)
	}
}

// A server that sends without end, and reads.
func feeding(ctx context.Context, c *qsocket.Conn[map[string]any]) {
	go func() { // ends with c
		for range c.Messages() {
		}
	}()
	for i := 0; c.Send(ctx, map[string]any{"i": i}) == nil; i++ {
	}
}

func TestCatCount(t *testing.T) {
	s := serve(t, ticks, nil, feeding)
	got := runs(t, "cat", "-n", "3", s.url)
	got.want(t, exitWell)
	if want := "{\"i\":0}\n{\"i\":1}\n{\"i\":2}\n"; got.out != want {
		t.Errorf("got %s, want %s", got.out, want)
	}
	runs(t, "cat", "-n", "1", "-w", s.url).want(t, exitWell, `{"i":0}`)

	e := serve(t, ticks, nil, echoing[map[string]any])
	runsWith(t, "{}\n{}\n", "cat", "-n", "3", e.url).want(t, exitFound, "the server ended after 2 of 3 messages")
}

// With -w the program leaves when the server has confirmed, whatever it sends.
func TestCatWait(t *testing.T) {
	took := make(chan map[string]any, 4)
	s := serve(t, ticks, nil, func(ctx context.Context, c *qsocket.Conn[map[string]any]) {
		for m, err := range c.All(ctx) {
			if err != nil {
				return
			}
			took <- m
		}
	})
	runsWith(t, "{\"a\":1}\n{\"a\":2}\n", "cat", "-w", s.url).want(t, exitWell)
	for i := range 2 {
		if m := <-took; fmt.Sprint(m["a"]) != fmt.Sprint(i+1) {
			t.Errorf("got %v, want %d", m, i+1)
		}
	}
	deaf := hostile(t, func(nc net.Conn) { // says a hello each time, and reads nothing
		_, _ = nc.Write(helloOf("ticks/1", "msgpack"))
	})
	runsWith(t, "1\n", "cat", "-w", "--timeout", "200ms", deaf).want(t, exitFound, "no confirm within 200ms")
}

func TestCatRaw(t *testing.T) {
	for name, framing := range map[string]qsocket.Framing{"uvarint": qsocket.Uvarint, "Netstring": qsocket.Netstring, "uint16": qsocket.Uint16} {
		s := serve(t, qsocket.Protocol[any]{Codec: qsocket.JSON[any](), Framing: framing}, nil, echoing[any])
		got := runsWith(t, "{ \"a\" : [1.50] }\n", "cat", "--codec", "json", "--framing", name, s.url)
		got.want(t, exitWell)
		if want := "{\"a\":[1.5]}\n"; got.out != want {
			t.Errorf("got %s, want %s", got.out, want)
		}
		runsWith(t, "{\"$raw\":\"MQ==\"}", "cat", "--framing", name, s.url).want(t, exitWell, `{"$raw":"MQ=="}`)
	}
	s := serve(t, qsocket.Protocol[any]{}, nil, echoing[any])
	runsWith(t, `{"x":{"$bin":"AA=="}}`, "cat", "--codec", "msgpack", s.url).want(t, exitWell, `{"x":{"$bin":"AA=="}}`)
	runsWith(t, `1`, "cat", "--codec", "msgpack", "--framing", "x", s.url).want(t, exitUsage, "none of")
}

// A server with sessions takes a plain connection, and one over a Unix socket or TLS is no different.
func TestCatTransports(t *testing.T) {
	sessions := serve(t, ticks, &qsocket.Options{MaxSessions: 4}, nil)
	runsWith(t, "{\"a\":1}\n", "cat", "-w", sessions.url).want(t, exitWell)

	secure := serve(t, ticks, &qsocket.Options{TLS: testkit.ServerTLS()}, echoing[map[string]any])
	runsWith(t, "{\"a\":1}\n", "cat", "--servername", "localhost", secure.url).want(t, exitFound, "--ca")

	certFile, keyFile := writeCertificate(t, t.TempDir())
	secure = serve(t, ticks, &qsocket.Options{TLS: testkit.ServerTLS()}, echoing[map[string]any])
	runsWith(t, "{\"a\":1}\n", "cat", "--servername", "localhost", "--ca", certFile, "--cert", certFile, "--key", keyFile, secure.url).want(t, exitWell, `{"a":1}`)

	path := filepath.Join(t.TempDir(), "s")
	ln, err := qsocket.Listen("unix", path, ticks, nil)
	if err != nil {
		t.Fatal(err)
	}
	served := testkit.Async(func() error { return ln.Serve(context.Background(), echoing[map[string]any]) })
	runsWith(t, "{\"a\":1}\n", "cat", "unix://"+path).want(t, exitWell, `{"a":1}`)
	if err := ln.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	<-served
}

// Servers without a description, with gob, and with what only JSON of the value shows.
func TestCatWithoutDescription(t *testing.T) {
	codec := qsocket.Stateless("mine", func(s string) ([]byte, error) { return []byte(s), nil }, func(b []byte, s *string) error { *s = string(b); return nil })
	s := serve(t, qsocket.Protocol[string]{Name: "mine/1", Codec: codec}, nil, echoing[string])
	runsWith(t, `{"$raw":"eA=="}`, "cat", s.url).want(t, exitWell, `{"$raw":"eA=="}`)
	g := serve(t, qsocket.Protocol[sale]{Name: "gob/1", Codec: qsocket.Gob[sale]()}, nil, func(ctx context.Context, c *qsocket.Conn[sale]) { _ = c.Send(ctx, sale{ID: 1}) })
	runs(t, "cat", g.url).want(t, exitWell, `{"$raw":"`)
	runsWith(t, `{"ID":1}`, "cat", g.url).want(t, exitUsage, "line 1: want {\"$raw\":\"…\"}")
}

// What a server sends that its own description does not allow is printed as bytes.
func TestCatUndecodable(t *testing.T) {
	addr := hostile(t, func(nc net.Conn) {
		_, _ = nc.Write(helloOf("ticks/1", "msgpack"))
		_, _ = nc.Write([]byte{0, 0, 0, 2, 0xc1, 0x1b})
		_, _ = nc.Write(wire.Goodbye{}.Frame())
	})
	runs(t, "cat", "--timeout", "2s", addr).want(t, exitFound, `{"$raw":"wRs="}`, "message 1: msgpack: byte 0xc1 at byte 0 begins no value")
}

// A server that is drained gets its client's goodbye, and the client gets its answers.
func TestCatGoingAway(t *testing.T) {
	s := serve(t, ticks, nil, echoing[map[string]any])
	in, w := io.Pipe()
	out, r := newPipe()
	code := make(chan int, 1)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	errs := new(strings.Builder)
	go func() { code <- run(ctx, []string{"cat", s.url}, in, r, errs); r.Close() }()
	_, _ = io.WriteString(w, "{\"a\":1}\n")
	if line, err := out.ReadString('\n'); line != "{\"a\":1}\n" {
		t.Fatalf("got %q, %v", line, err)
	}
	if err := s.Drain(ctx, "restart"); err != nil { // which waits for the program's goodbye
		t.Errorf("drain: %v", err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the program
	if got := <-code; got != exitFound || !strings.Contains(errs.String(), "goes away") {
		t.Errorf("got the code %d, %s", got, errs)
	}
	w.Close()
}

// helloOf is the hello of a server without a description, which wants no heartbeats.
func helloOf(name, codec string) []byte {
	most := uint64(1 << 20)
	return (&wire.Hello{Proto: name, Codec: codec, Max: &most}).Append(nil)
}

func newPipe() (*bufio.Reader, *io.PipeWriter) {
	r, w := io.Pipe()
	return bufio.NewReader(r), w
}

func TestCatErrors(t *testing.T) {
	nothing, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nothing.Close()
	runs(t, "cat", nothing.Addr().String()).want(t, exitFound, "connection refused")
	runs(t, "cat", "ftp://x").want(t, exitUsage, "want tcp://")
	runs(t, "cat").want(t, exitUsage)

	s := serve(t, ticks, nil, func(ctx context.Context, c *qsocket.Conn[map[string]any]) {
		if _, err := c.Recv(ctx); err == nil {
			_ = c.CloseWithReason("no \x1b[31mmore")
		}
	})
	got := runsWith(t, "{}\n", "cat", s.url)
	got.want(t, exitFound, `no \x1b[31mmore`)
}

// An interrupt is a goodbye.
func TestCatInterrupted(t *testing.T) {
	ended := make(chan error, 2)
	s := serve(t, ticks, nil, func(ctx context.Context, c *qsocket.Conn[map[string]any]) {
		for range c.Messages() {
		}
		ended <- c.Err()
	})
	c := exec.Command(builtProgram(t), "cat", s.url)
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil { // the first connection asks what is spoken
		t.Errorf("got %v, want nil", err)
	}
	for s.Stats().Accepted < 2 {
		time.Sleep(time.Millisecond)
	}
	if err := c.Process.Signal(os.Interrupt); err != nil {
		_ = c.Process.Kill()
		_ = c.Wait()
		t.Skip(err)
	}
	if err := c.Wait(); err != nil {
		t.Errorf("got %v, want the exit code 0", err)
	}
	if err := <-ended; err != nil {
		t.Errorf("got %v, want nil", err)
	}
}

// Lines may be long, end as those of Windows do, and the last one need not end.
func TestCatLongLines(t *testing.T) {
	s := serve(t, ticks, nil, echoing[map[string]any])
	long := `{"a":"` + strings.Repeat("x", 300_000) + `"}`
	got := runsWith(t, "{\"b\":1}\r\n"+long+"\r\n \t\n"+long, "cat", s.url)
	got.want(t, exitWell)
	if want := "{\"b\":1}\n" + long + "\n" + long + "\n"; got.out != want {
		t.Errorf("got %d bytes, want %d", len(got.out), len(want))
	}
	l := newLines(io.MultiReader(strings.NewReader("1\n"), io.LimitReader(endless{}, maxLine+1)))
	if line, err := l.next(); string(line) != "1" || err != nil {
		t.Errorf("got %q, %v", line, err)
	}
	if _, err := l.next(); err == nil || !strings.Contains(err.Error(), "want at most 256 MiB") {
		t.Errorf("got %v for a line without an end", err)
	}
}

// endless is a line that does not end.
type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}
