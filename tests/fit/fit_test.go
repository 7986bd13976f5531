package fit

import (
	"context"
	"fmt"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// cannotCarry fails the test unless a Protocol with the codec is refused with the error, and
// rightly so: were it not, no value would get across.
func cannotCarry[T any](t *testing.T, name string, codec qsocket.Codec[T], want string, values ...T) {
	t.Run(name, func(t *testing.T) {
		for range 2 { // the second answer is remembered
			err := testkit.Unfit(codec)
			if err == nil {
				t.Fatal("it is accepted")
			}
			if want = strings.TrimSpace(want); err.Error() != "qsocket: "+want {
				t.Errorf("got  %v\nwant qsocket: %s", err, want)
			}
		}
		if len(values) == 0 {
			t.Fatal("no value is tried")
		}
		for _, v := range values {
			if got, err := across(codec, v); err == nil && reflect.DeepEqual(got, v) {
				t.Errorf("%+v gets across", v)
			} else {
				t.Logf("%+v arrives as %+v, %v", v, got, err)
			}
		}
	})
}

// carries fails the test unless a Protocol with the codec is accepted and the values arrive.
func carries[T any](t *testing.T, name string, codec qsocket.Codec[T], values ...T) {
	t.Run(name, func(t *testing.T) {
		if err := testkit.Unfit(codec); err != nil {
			t.Fatal(err)
		}
		for _, v := range values {
			if got, err := across(codec, v); err != nil || !reflect.DeepEqual(got, v) {
				t.Errorf("%+v arrived as %+v, %v", v, got, err)
			}
		}
	})
}

// across encodes and decodes v without a Protocol.
func across[T any](codec qsocket.Codec[T], v T) (got T, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	b, err := codec.NewEncoder().Append(nil, v)
	if err != nil {
		return got, err
	}
	return codec.NewDecoder().Decode(b)
}

// Types that several codecs are asked for.
type (
	fitStamp   time.Time
	fitStamped struct {
		time.Time
		Name string
	}
	fitTimeOnly struct{ time.Time }
	fitShape    interface{ Area() float64 }
	fitSquare   struct{ Side float64 }
	fitLoop     *fitLoop
	fitSelf     struct {
		*fitSelf
		V int
	}
	fitInner struct{ ID int }
	FitInner struct{ ID int }
	FitOther struct{ ID int }
	fitState struct{ n int }
	fitTree  struct {
		V    int
		Kids []*fitTree
		Next *fitTree
		M    map[string]fitTree
	}
	fitMarker struct{ _ struct{} }
)

func (s fitSquare) Area() float64 { return s.Side * s.Side }

func TestTypesAreJudgedWhereverAProtocolIsUsed(t *testing.T) {
	p := qsocket.Protocol[fitStamped]{Codec: qsocket.JSON[fitStamped]()}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nc, _ := net.Pipe()
	for _, tt := range []struct {
		name string
		use  func(ctx context.Context) error
	}{
		{"Dial", func(ctx context.Context) error {
			_, err := qsocket.Dial(ctx, "tcp", ln.Addr().String(), p, nil)
			return err
		}},
		{"NewConn", func(ctx context.Context) error { _, err := qsocket.NewConn(ctx, nc, p, nil); return err }},
		{"Pipe", func(context.Context) error { _, _, err := qsocket.Pipe(p, nil); return err }},
		{"Listen", func(context.Context) error { _, err := qsocket.Listen("tcp", "127.0.0.1:0", p, nil); return err }},
		{"NewListener", func(context.Context) error { _, err := qsocket.NewListener(ln, p, nil); return err }},
		{"Prepare", func(context.Context) error { _, err := p.Prepare(fitStamped{}); return err }},
		{"NewGroup", func(context.Context) (err error) {
			defer func() { err, _ = recover().(error) }()
			qsocket.NewGroup(p, qsocket.Block)
			return nil
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.use(t.Context())
			if err == nil || !strings.Contains(err.Error(), "so Name would be lost") {
				t.Errorf("got %v, want an error that names the field", err)
			}
		})
	}
}

func TestUnionJudgesItsCases(t *testing.T) {
	_, _, err := qsocket.Pipe(qsocket.Protocol[fitShape]{Codec: qsocket.Union(
		qsocket.Case[fitShape](1, qsocket.JSON[fitSquare]()),
		qsocket.Case[fitShape](2, qsocket.JSON[*fitCircle]()),
	)}, nil)
	const want = "qsocket: case 2: json: fitCircle.Err: error is an interface with methods: it can be sent, but nothing can be received for it; use a concrete type, any, or a Union"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	carries(t, "other codec", qsocket.Union(qsocket.Case[fitShape](1, qsocket.JSON[fitSquare]()), qsocket.Case[fitShape](2, qsocket.Msgpack[*fitCircle]())),
		fitShape(fitSquare{2}), fitShape(&fitCircle{R: 3}))
}

type fitCircle struct {
	R   float64
	Err error
}

func (c *fitCircle) Area() float64 { return c.R }

func TestTypesThatBinaryCannotCarry(t *testing.T) {
	at := time.Unix(5, 0).UTC()
	cannotCarry(t, "promoted", qsocket.Binary[fitStamped](), "binary: fitStamped: AppendBinary of fit.fitStamped is that of the embedded time.Time, so Name would be lost; give the embedded field a name, or fit.fitStamped methods of its own",
		fitStamped{at, "n"})
	cannotCarry(t, "promoted by a pointer", qsocket.Binary[struct{ *time.Time }](), "binary: message: UnmarshalBinary of struct { *time.Time } is that of the embedded *time.Time, which is nil when something arrives; give the embedded field a name, or struct { *time.Time } methods of its own",
		struct{ *time.Time }{&at})
	// A type that embeds one that embeds a time.Time has the methods of the time.Time.
	const deep = "MarshalBinary of fit.fitStamped is that of the embedded time.Time, so Name would be lost; give the embedded field a name, or fit.fitStamped methods of its own"
	deeply := struct{ fitStamped }{fitStamped{at, "n"}}
	cannotCarry(t, "promoted twice", qsocket.Binary[struct{ fitStamped }](), "binary: message: "+strings.Replace(deep, "Marshal", "Append", 1), deeply)
	cannotCarry(t, "promoted twice", qsocket.Msgpack[struct{ V struct{ fitStamped } }](), "msgpack: message.V: "+deep, struct{ V struct{ fitStamped } }{deeply})
	cannotCarry(t, "promoted twice", qsocket.Gob[struct{ fitStamped }](), "gob: message: "+strings.Replace(deep, "MarshalBinary", "GobEncode", 1), deeply)
	cannotCarry(t, "promoted twice", qsocket.JSON[struct{ fitStamped }](), "json: message: "+strings.Replace(deep, "MarshalBinary", "MarshalJSON", 1), deeply)
	carries(t, "promoted twice, with nothing beside it", qsocket.Binary[struct{ fitTimeOnly }](), struct{ fitTimeOnly }{fitTimeOnly{at}})
	carries(t, "nothing beside it", qsocket.Binary[fitTimeOnly](), fitTimeOnly{at})
	carries(t, "a pointer", qsocket.Binary[*fitTimeOnly](), &fitTimeOnly{at})
	carries(t, "its own", qsocket.Binary[halfBinary](), halfBinary{7})
}

// However large types and their names are, the error is not.
func TestErrorsOfLargeTypesAreShort(t *testing.T) {
	type T = struct {
		A struct {
			VeryVeryVeryVeryVeryVeryVeryVeryVeryVeryVeryVeryVeryVeryVeryLong struct {
				VeryVeryVeryVeryVeryVeryVeryVeryVeryVeryVeryVeryVeryVeryVeryVeryLong [][][][][][][]map[string]struct {
					VeryVeryVeryVeryVeryVeryVeryVeryVeryVeryVeryVeryVeryVeryVeryVeryVeryLong struct {
						VeryVeryVeryVeryVeryVeryVeryVeryVeryVeryVeryVeryVeryVeryVeryVeryVeryVeryLong interface {
							M(struct{ VeryVeryVeryVeryVeryVeryVeryVeryVeryVeryVeryVeryVeryVeryVeryVeryVeryVeryVeryLong int })
						}
					}
				}
			}
		}
	}
	for _, codec := range []qsocket.Codec[T]{qsocket.JSON[T](), qsocket.Msgpack[T]()} {
		err := testkit.Unfit(codec)
		if err == nil {
			t.Fatal("it is accepted")
		}
		if n := len(err.Error()); n > 1024 || !strings.HasSuffix(err.Error(), "use a concrete type, any, or a Union") {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

// halfBinary has the newer of the two methods that encode, and not the older.
type halfBinary struct{ N int }

func (h halfBinary) AppendBinary(b []byte) ([]byte, error) { return append(b, byte(h.N)), nil }
func (h *halfBinary) UnmarshalBinary(b []byte) error       { h.N = int(b[0]); return nil }

// A type that would be encoded by its fields and decoded by its method cannot
// be sent by the codecs that know only MarshalBinary.
func TestHalfBinaryTypes(t *testing.T) {
	for _, codec := range []qsocket.Codec[halfBinary]{qsocket.Msgpack[halfBinary](), qsocket.Gob[halfBinary]()} {
		err := testkit.Unfit(codec)
		if err == nil || !strings.Contains(err.Error(), "no MarshalBinary") {
			t.Errorf("%s: got %v, want an error about MarshalBinary", codec.Name(), err)
		}
	}
	codec := qsocket.Binary[halfBinary]()
	b, err := codec.NewEncoder().Append(nil, halfBinary{7})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := codec.NewDecoder().Decode(b); err != nil || got.N != 7 {
		t.Errorf("binary: got %v, %v, want 7", got, err)
	}
}
