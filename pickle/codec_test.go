package pickle_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/hints"
	"github.com/fb9bb4ed/qsocket/internal/leak"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/pickle"
	"github.com/google/go-cmp/cmp"
)

// TestMain fails the run if goroutines of the module outlive the tests.
func TestMain(m *testing.M) { leak.Main(m) }

// refusal returns the error with which a Protocol of T is refused.
func refusal[T any]() error {
	a, b, err := qsocket.Pipe(qsocket.Protocol[T]{Codec: pickle.Codec[T]()}, nil)
	if err == nil {
		a.Close()
		b.Close()
	}
	return err
}

type (
	hiding time.Time // without its methods
	half   struct{ N int }
	loop   *loop
	both   struct {
		A int `pickle:"x"`
		B int `pickle:"x"`
	}
	option struct {
		A int `pickle:"a,inline"`
	}
	pointed struct{ *item }
	timed   struct {
		time.Time
		N int
	}
	tree struct{ Left, Right *tree }
)

func (half) MarshalText() ([]byte, error) { return nil, nil }

// Types of which no value gets across are refused before anything is sent.
func TestUnfit(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want string // "" if it fits
	}{
		{"everything", refusal[everything](), ""},
		{"any", refusal[any](), ""},
		{"recursive", refusal[tree](), ""},
		{"chan", refusal[struct{ C chan int }](), "message.C: chan int cannot be encoded"},
		{"func", refusal[[]func()](), "message[]: func() cannot be encoded"},
		{"complex", refusal[complex128](), "complex128 cannot be encoded"},
		{"uintptr", refusal[uintptr](), "uintptr cannot be encoded"},
		{"interface with methods", refusal[error](), "interface with methods"},
		{"hidden", refusal[hiding](), "only unexported fields"},
		{"one half of a pair", refusal[half](), "has MarshalText and no UnmarshalText"},
		{"endless pointer", refusal[loop](), "points to nothing but itself"},
		{"two of one name", refusal[both](), `two fields of pickle_test.both are named "x"`},
		{"unknown option", refusal[option](), `the option "inline"`},
		{"embedded pointer", refusal[pointed](), "embeds a pointer"},
		{"embedded time", refusal[timed](), "N would be lost"},
		{"pointer as a key", refusal[map[[1]*int]int](), "cannot be the key of a dict"},
		{"struct as a key", refusal[map[tree]int](), "cannot be the key of a dict"},
		{"time as a key", refusal[map[time.Time]int](), "cannot be the key of a dict"},
	}
	for _, tt := range tests {
		switch {
		case tt.want == "" && tt.err != nil:
			t.Errorf("%s: got error %v, want none", tt.name, tt.err)
		case tt.want != "" && (tt.err == nil || !strings.Contains(tt.err.Error(), tt.want)):
			t.Errorf("%s: got error %v, want %q", tt.name, tt.err, tt.want)
		}
	}
}

func TestOptionsPanic(t *testing.T) {
	for name, f := range map[string]func(){
		"MaxExpansion": func() { pickle.MaxExpansion(0) },
		"NaiveIn":      func() { pickle.NaiveIn(nil) },
	} {
		if !panics(f) {
			t.Errorf("%s does not panic", name)
		}
	}
}

func panics(f func()) (panicked bool) {
	defer func() { panicked = recover() != nil }()
	f()
	return false
}

// A small value whose encoding has no end in sight is given up at the frame limit, and the
// Conn goes on.
func TestLimitPayload(t *testing.T) {
	a, b, err := qsocket.Pipe(qsocket.Protocol[any]{Codec: pickle.Codec[any]()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	defer b.Close()
	laughs := any("ha")
	for range 50 {
		laughs = []any{laughs, laughs}
	}
	ctx := testkit.Context(t)
	if err := a.Send(ctx, laughs); !errors.Is(err, qsocket.ErrFrameTooLarge) {
		t.Fatalf("got error %v, want ErrFrameTooLarge", err)
	}
	if err := a.Send(ctx, "ha"); err != nil {
		t.Fatal(err)
	}
	if v, err := b.Recv(ctx); v != "ha" || err != nil {
		t.Errorf("got %v, %v", v, err)
	}
}

// A pickle that is refused ends the Conn with a *CodecError.
func TestCodecError(t *testing.T) {
	bytesCodec := qsocket.Stateless("pickle", func(b []byte) ([]byte, error) { return b, nil },
		func(payload []byte, b *[]byte) error { *b = append([]byte(nil), payload...); return nil })
	for payload, want := range map[string]string{
		"cos\nsystem\n(S'ls'\ntR.": "qsocket: decode pickle: refused: os.system: not plain data",
		"":                         "empty payload, want one pickle",
	} {
		ln, err := qsocket.Listen("tcp", "127.0.0.1:0", qsocket.Protocol[any]{Codec: pickle.Codec[any]()}, nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx := testkit.Context(t)
		client, err := qsocket.Dial(ctx, "tcp", ln.Addr().String(), qsocket.Protocol[[]byte]{Codec: bytesCodec}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := client.Send(ctx, []byte(payload)); err != nil {
			t.Fatal(err)
		}
		conn, err := ln.Accept(ctx)
		if err != nil {
			t.Fatal(err)
		}
		_, err = conn.Recv(ctx)
		var ce *qsocket.CodecError
		if !errors.As(err, &ce) || ce.Op != "decode" || !strings.Contains(err.Error(), want) || errors.Is(err, io.EOF) {
			t.Errorf("%q: got error %v, want a *CodecError with %q", payload, err, want)
		}
		conn.Close()
		client.Close()
		ln.Close()
	}
}

// A decoder tells what the value takes that it made last, whatever the pickle did.
func TestDecodedSize(t *testing.T) {
	dec := pickle.Codec[[]struct{ A [1024]byte }](pickle.MaxExpansion(2000)).NewDecoder()
	sizer := dec.(hints.Sizer)
	if got, want := sizer.MaxDecoded(), (hints.Size{Factor: 2000, Free: 64 << 10}); got != want {
		t.Errorf("got %v for any payload, want %v", got, want)
	}
	if _, err := dec.Decode([]byte("(" + strings.Repeat("N", 100) + "t.")); err != nil {
		t.Fatal(err)
	}
	if size := sizer.DecodedSize(); size.Factor != 0 || size.Free < 100<<10 || size.Free > 150<<10 {
		t.Errorf("got %v for 100 elements of 1 KiB", size)
	}
	if _, err := dec.Decode([]byte("N.")); err != nil || sizer.DecodedSize() != (hints.Size{}) {
		t.Errorf("got %v for None, error %v", sizer.DecodedSize(), err)
	}
}

// One codec serves many connections at the same time.
func TestConcurrent(t *testing.T) {
	c := pickle.Codec[everything]()
	want := full()
	done := make(chan error)
	const many = 8
	for range many {
		go func() { // ends after its rounds
			var err error
			enc, dec := c.NewEncoder(), c.NewDecoder()
			for range 100 {
				b, e := enc.Append(nil, want)
				got, f := dec.Decode(b)
				if err = errors.Join(err, e, f); err == nil && !cmp.Equal(want, got, equal) {
					err = errors.New("arrived changed")
				}
			}
			done <- err
		}()
	}
	for range many {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
