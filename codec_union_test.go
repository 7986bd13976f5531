package qsocket_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
	"github.com/google/go-cmp/cmp"
)

var unionValues = []testkit.Event{
	testkit.Placed{ID: 7, Symbol: "ABC"},
	&testkit.Filled{ID: 8, Legs: []int{1, 2}, Price: 1.5},
	testkit.Reason("closed"),
	testkit.Placed{},
	&testkit.Filled{},
	testkit.Reason(""),
	testkit.Placed{ID: 9, Symbol: "DEF"},
}

func TestUnion(t *testing.T) {
	for name, codec := range map[string]qsocket.Codec[testkit.Event]{
		"union(msgpack)":          testkit.UnionOf(qsocket.Msgpack[testkit.Placed](), qsocket.Msgpack[*testkit.Filled](), qsocket.Msgpack[testkit.Reason]()),
		"union(gob)":              testkit.UnionOf(qsocket.Gob[testkit.Placed](), qsocket.Gob[*testkit.Filled](), qsocket.Gob[testkit.Reason]()),
		"union(json)":             testkit.UnionOf(qsocket.JSON[testkit.Placed](), qsocket.JSON[*testkit.Filled](), qsocket.JSON[testkit.Reason]()),
		"union(gob,msgpack,json)": testkit.UnionOf(qsocket.Gob[testkit.Placed](), qsocket.Msgpack[*testkit.Filled](), qsocket.JSON[testkit.Reason]()),
	} {
		t.Run(name, func(t *testing.T) {
			if got := codec.Name(); got != name {
				t.Errorf("Name is %q", got)
			}
			a, b := testkit.Pair(t, "tcp", qsocket.Protocol[testkit.Event]{Name: "union/1", Codec: codec}, nil, nil)
			ctx := testkit.Context(t)
			for _, v := range unionValues {
				if err := a.Send(ctx, v); err != nil {
					t.Fatal(err)
				}
			}
			for _, want := range unionValues {
				if got, err := b.Recv(ctx); err != nil || !cmp.Equal(got, want) {
					t.Errorf("got %T %+v, %v, want %T %+v", got, got, err, want, want)
				}
			}
		})
	}
}

// The tags and what follows them stay as they are.
func TestUnionGolden(t *testing.T) {
	enc := testkit.UnionOf(qsocket.Msgpack[testkit.Placed](), qsocket.Msgpack[*testkit.Filled](), qsocket.Msgpack[testkit.Reason]()).NewEncoder()
	for i, want := range []string{
		"01 82 a2 4944 07 a6 53796d626f6c a3 414243",
		"02 83 a2 4944 08 a4 4c656773 92 01 02 a5 5072696365 cb 3ff8000000000000",
		"ac02 a6 636c6f736564", // 300, "closed"
	} {
		got, err := enc.Append(nil, unionValues[i])
		if err != nil || string(got) != string(testkit.Unhex(want)) {
			t.Errorf("got % x, %v, want %s", got, err, want)
		}
	}
}

func TestUnionRefusesValues(t *testing.T) {
	p := qsocket.Protocol[testkit.Event]{Codec: testkit.UnionOf(qsocket.Msgpack[testkit.Placed](), qsocket.Msgpack[*testkit.Filled](), qsocket.Gob[testkit.Reason]())}
	a, b := testkit.Pair(t, "tcp", p, &qsocket.Options{MaxFrame: 100}, nil)
	ctx := testkit.Context(t)
	for _, test := range []struct {
		v    testkit.Event
		want string
	}{
		{nil, "a nil testkit.Event has no case"},
		{testkit.Tick{}, "Tick has no case, want one of: 1 testkit.Placed, 2 *testkit.Filled, 300 testkit.Reason"},
		{&testkit.Placed{}, "*testkit.Placed has no case"},
		{(*testkit.Filled)(nil), "a nil *testkit.Filled cannot be sent"},
		{testkit.Placed{Symbol: "\xff"}, "UTF-8"},
	} {
		err := a.Send(ctx, test.v)
		var ce *qsocket.CodecError
		if !errors.As(err, &ce) || ce.Op != "encode" || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%T: got %v, want: %s", test.v, err, test.want)
		}
	}
	// A stream that is too long for the frame begins anew.
	for _, v := range []testkit.Event{testkit.Reason("a"), testkit.Reason(strings.Repeat("x", 200)), testkit.Reason("b"), testkit.Placed{ID: 1, Symbol: "c"}} {
		if err := a.Send(ctx, v); err != nil && !errors.Is(err, qsocket.ErrFrameTooLarge) {
			t.Fatal(err)
		}
	}
	for _, want := range []testkit.Event{testkit.Reason("a"), testkit.Reason("b"), testkit.Placed{ID: 1, Symbol: "c"}} {
		if got, err := b.Recv(ctx); err != nil || got != want {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	}
}

func TestUnionRefusesPayloads(t *testing.T) {
	codec := testkit.UnionOf(qsocket.Msgpack[testkit.Placed](), qsocket.Msgpack[*testkit.Filled](), qsocket.Gob[testkit.Reason]())
	for _, test := range []struct{ payload, want string }{
		{"", "want a tag, a varint in its shortest form, got a payload of 0 bytes"},
		{"80", "begins with 80"},
		{"8100", "begins with 81 00"},
		{"ffffffffffffffffff7f", "begins with ff ff"},
		{"00", "unknown tag 0, want one of [1 2 300]"},
		{"03 c0", "unknown tag 3, want one of [1 2 300]"},
		{"ffffffffffffffffff01", "unknown tag 18446744073709551615"},
		{"01", "case 1: "},
		{"01 81 a2 4944 a0", "ID"},
		{"02 c0", "case 2: got nil, want a testkit.Filled"},
		{"02 c0 c0", "case 2: "},
		{"ac02 00", "case 300: "},
	} {
		p := qsocket.Protocol[testkit.Event]{Codec: codec}
		nc, peer := testkit.NetPair(t, "tcp")
		b, err := qsocket.NewConn(testkit.Context(t), nc, p, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer testkit.End(b)
		if _, err := peer.Write([]byte(testkit.Frame(t, qsocket.Uint32, string(testkit.Unhex(test.payload))))); err != nil {
			t.Fatal(err)
		}
		_, err = b.Recv(testkit.Context(t))
		var ce *qsocket.CodecError
		if !errors.As(err, &ce) || ce.Op != "decode" || !strings.Contains(err.Error(), test.want) {
			t.Errorf("% s: got %v, want: %s", test.payload, err, test.want)
		}
	}
}

// unionUnknown is what an older receiver makes of a newer sender's messages.
type unionUnknown struct {
	tag     uint64
	payload string
}

func (unionUnknown) IsEvent() {}

func TestUnionOtherwise(t *testing.T) {
	newer := qsocket.Protocol[testkit.Event]{Name: "union/1", Codec: qsocket.Union(
		qsocket.Case[testkit.Event](1, qsocket.Msgpack[testkit.Placed]()),
		qsocket.Case[testkit.Event](5, qsocket.Msgpack[testkit.Reason]()),
	)}
	older := qsocket.Protocol[testkit.Event]{Name: "union/1", Codec: qsocket.Union(
		qsocket.Case[testkit.Event](1, qsocket.Msgpack[testkit.Placed]()),
		qsocket.Otherwise(func(tag uint64, payload []byte) (testkit.Event, error) {
			if string(payload) == "\xa3bad" {
				return nil, errors.New("a bad one")
			}
			return unionUnknown{tag, string(payload)}, nil
		}),
	)}
	na, nb := testkit.NetPair(t, "tcp")
	made := testkit.Async(func() *qsocket.Conn[testkit.Event] {
		c, err := qsocket.NewConn(context.Background(), nb, older, nil)
		if err != nil {
			t.Error(err)
		}
		return c
	})
	a, err := qsocket.NewConn(context.Background(), na, newer, nil)
	if err != nil {
		t.Fatal(err)
	}
	b := testkit.Result(t, "NewConn", made)
	defer testkit.End(a)
	defer testkit.End(b)
	if got := b.Peer().Differences; !strings.Contains(got, "case 5 is only at the peer") {
		t.Errorf("differences: %q", got)
	}
	ctx := testkit.Context(t)
	for _, v := range []testkit.Event{testkit.Reason("new"), testkit.Placed{ID: 1, Symbol: "old"}, testkit.Reason("bad")} {
		if err := a.Send(ctx, v); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []testkit.Event{unionUnknown{5, "\xa3new"}, testkit.Placed{ID: 1, Symbol: "old"}} {
		if got, err := b.Recv(ctx); err != nil || got != want {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	}
	var ce *qsocket.CodecError
	if _, err := b.Recv(ctx); !errors.As(err, &ce) || !strings.Contains(err.Error(), "a bad one") {
		t.Errorf("got %v, want the error of the function", err)
	}
}

// enveloped is a codec with another one inside.
type enveloped struct {
	qsocket.Codec[testkit.Event]
}

func (c enveloped) NewDecoder() qsocket.Decoder[testkit.Event] {
	return envelopedDecoder{c.Codec.NewDecoder()}
}

type envelopedDecoder struct {
	qsocket.Decoder[testkit.Event]
}

func (d envelopedDecoder) Decode(payload []byte) (testkit.Event, error) {
	v, err := d.Decoder.Decode(payload)
	if err != nil {
		err = fmt.Errorf("in the envelope: %w", err)
	}
	return v, err
}

// box is a case with an Event in it.
type box struct{ testkit.Event }

type boxCodec struct{ inner qsocket.Codec[testkit.Event] }

func (c boxCodec) Name() string                     { return "box" }
func (c boxCodec) NewEncoder() qsocket.Encoder[box] { return boxEncoder{c.inner.NewEncoder()} }
func (c boxCodec) NewDecoder() qsocket.Decoder[box] { return boxDecoder{c.inner.NewDecoder()} }

type boxEncoder struct {
	inner qsocket.Encoder[testkit.Event]
}

func (e boxEncoder) Append(dst []byte, v box) ([]byte, error) { return e.inner.Append(dst, v.Event) }

type boxDecoder struct {
	inner qsocket.Decoder[testkit.Event]
}

func (d boxDecoder) Decode(payload []byte) (box, error) {
	v, err := d.inner.Decode(payload)
	return box{v}, err
}

// SkipUnknown drops the cases of a newer peer, wherever the Union is: nothing is received
// in their place, they are counted and the first one logged, and the peer's Shutdown is
// confirmed.
func TestSkipUnknown(t *testing.T) {
	placed := qsocket.Case[testkit.Event](1, qsocket.Msgpack[testkit.Placed]())
	newer := qsocket.Union(placed, qsocket.Case[testkit.Event](300, qsocket.Gob[testkit.Reason]()))
	older := qsocket.Union(placed, qsocket.SkipUnknown[testkit.Event]())
	for _, codec := range []struct {
		name         string
		newer, older qsocket.Codec[testkit.Event]
	}{
		{"a union", newer, older},
		{"an envelope around one", newer, enveloped{older}},
		{"a case that is one", qsocket.Union(qsocket.Case[testkit.Event](7, boxCodec{newer})), qsocket.Union(qsocket.Case[testkit.Event](7, boxCodec{older}))},
	} {
		wrap := func(m testkit.Event) testkit.Event { return m }
		if codec.name == "a case that is one" {
			wrap = func(m testkit.Event) testkit.Event { return box{m} }
		}
		for _, how := range []string{"Recv", "Messages"} {
			t.Run(codec.name+" "+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var log testkit.LogRecorder
					na, nb := qsockettest.NetPipe()
					made := testkit.Async(func() *qsocket.Conn[testkit.Event] {
						c, err := qsocket.NewConn(t.Context(), nb, qsocket.Protocol[testkit.Event]{Name: "union/1", Codec: named{codec.older, "union"}}, &qsocket.Options{Logger: log.Logger()})
						if err != nil {
							t.Error(err)
						}
						return c
					})
					a, err := qsocket.NewConn(t.Context(), na, qsocket.Protocol[testkit.Event]{Name: "union/1", Codec: named{codec.newer, "union"}}, nil)
					if err != nil {
						t.Fatal(err)
					}
					b := <-made
					defer testkit.End(a)
					defer testkit.End(b)
					received := testkit.Async(func() (n int) {
						if how == "Messages" {
							for m := range b.Messages() {
								if m != wrap(testkit.Placed{ID: uint64(n)}) {
									t.Errorf("got %v", m)
								}
								n++
							}
							return n
						}
						for m, err := range b.All(t.Context()) {
							if m != wrap(testkit.Placed{ID: uint64(n)}) || err != nil {
								t.Errorf("got %v, %v", m, err)
							}
							n++
						}
						return n
					})
					const n = 100
					for i := range n {
						for _, m := range []testkit.Event{testkit.Reason("new"), testkit.Placed{ID: uint64(i)}, testkit.Reason("another")} {
							if err := a.Send(t.Context(), wrap(m)); err != nil {
								t.Fatal(err)
							}
						}
					}
					if err := a.Shutdown(t.Context()); err != nil {
						t.Errorf("Shutdown: got %v, want nil: skipping is no discarding", err)
					}
					if got := <-received; got != n || b.Err() != nil {
						t.Errorf("received %d messages, %v, want %d", got, b.Err(), n)
					}
					if s := b.Stats(); s.Unknown != 2*n || s.MessagesReceived != 3*n {
						t.Errorf("got %+v, want %d unknown of %d", s, 2*n, 3*n)
					}
					if got := log.Count("level=INFO", "unknown case", "protocol=union/1", "tag=300"); got != 1 {
						t.Errorf("logged %d times, want once:\n%s", got, log.Text())
					}
				})
			})
		}
	}
}

// named is a codec under another name.
type named struct {
	qsocket.Codec[testkit.Event]
	name string
}

func (c named) Name() string { return c.name }

// While it skips, Recv looks at its ctx, and Close is not kept.
func TestSkipUnknownForEver(t *testing.T) {
	p := qsocket.Protocol[testkit.Event]{Codec: qsocket.Union(qsocket.Case[testkit.Event](1, qsocket.Msgpack[testkit.Placed]()), qsocket.SkipUnknown[testkit.Event]())}
	for _, how := range []string{"ctx", "Close"} {
		t.Run(how, func(t *testing.T) {
			na, nb := testkit.NetPair(t, "tcp")
			flooded := make(chan struct{})
			go func() { // ends with na
				defer close(flooded)
				frames := bytes.Repeat([]byte{0, 0, 0, 2, 9, 0xc0}, 10_000)
				for {
					if _, err := na.Write(frames); err != nil {
						return
					}
				}
			}()
			c, err := qsocket.NewConn(t.Context(), nb, p, &qsocket.Options{CloseTimeout: time.Second})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			returned := testkit.Async(func() error { _, err := c.Recv(ctx); return err })
			testkit.Eventually(t, "messages to be skipped", func() bool { return c.Stats().Unknown > 100_000 })
			if how == "ctx" {
				cancel()
				if err := testkit.Result(t, "Recv", returned); err != context.Canceled {
					t.Errorf("Recv: got %v, want context.Canceled", err)
				}
			} else {
				_ = c.Close()
				if err := testkit.Result(t, "Recv", returned); !errors.Is(err, net.ErrClosed) {
					t.Errorf("Recv: got %v, want net.ErrClosed", err)
				}
			}
			testkit.End(c)
			na.Close()
			<-flooded
		})
	}
}

// An end without SkipUnknown names it.
func TestUnknownCaseNamesRemedy(t *testing.T) {
	codec := qsocket.Union(qsocket.Case[testkit.Event](1, qsocket.Msgpack[testkit.Placed]()))
	_, err := codec.NewDecoder().Decode([]byte{9, 0xc0})
	if want := "unknown tag 9, want one of [1]; with SkipUnknown the Union drops the cases of newer peers"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// notEvent implements nothing.
type notEvent struct{}

func TestUnionPanics(t *testing.T) {
	placed := qsocket.Case[testkit.Event](1, qsocket.Msgpack[testkit.Placed]())
	for _, test := range []struct {
		name string
		make func()
		want string
	}{
		{"does not implement", func() { qsocket.Case[testkit.Event](1, qsocket.Msgpack[notEvent]()) },
			"Case 1: qsocket_test.notEvent does not implement testkit.Event"},
		{"pointer implements", func() { qsocket.Case[testkit.Event](2, qsocket.Msgpack[testkit.Filled]()) },
			"Case 2: testkit.Filled does not implement testkit.Event, but *testkit.Filled does"},
		{"an interface", func() { qsocket.Case[testkit.Event](1, qsocket.Msgpack[testkit.Event]()) }, "is an interface"},
		{"T is no interface", func() { qsocket.Case[string](1, qsocket.Msgpack[string]()) }, "string is not an interface"},
		{"nil codec", func() { qsocket.Case[testkit.Event, testkit.Placed](3, nil) }, "Case 3: the codec of testkit.Placed is nil"},
		{"tag twice", func() { qsocket.Union(placed, qsocket.Case[testkit.Event](1, qsocket.Msgpack[testkit.Reason]())) },
			"tag 1 is given to testkit.Placed and to testkit.Reason"},
		{"type twice", func() { qsocket.Union(placed, qsocket.Case[testkit.Event](2, qsocket.Msgpack[testkit.Placed]())) },
			"testkit.Placed has the tags 1 and 2"},
		{"the same twice", func() { qsocket.Union(placed, placed) }, "tag 1 is given to"},
		{"nil Variant", func() { qsocket.Union(placed, nil) }, "a Variant is nil"},
		{"no cases", func() { qsocket.Union[testkit.Event]() }, "without a Case"},
		{"nil Otherwise", func() { qsocket.Otherwise[testkit.Event](nil) }, "Otherwise without a function"},
		{"Otherwise twice", func() {
			o := qsocket.Otherwise(func(uint64, []byte) (testkit.Event, error) { return nil, nil })
			qsocket.Union(placed, o, o)
		}, "Otherwise is given twice"},
		{"SkipUnknown twice", func() {
			qsocket.Union(placed, qsocket.SkipUnknown[testkit.Event](), qsocket.SkipUnknown[testkit.Event]())
		}, "SkipUnknown is given twice"},
		{"SkipUnknown and Otherwise", func() {
			o := qsocket.Otherwise(func(uint64, []byte) (testkit.Event, error) { return nil, nil })
			qsocket.Union(placed, qsocket.SkipUnknown[testkit.Event](), o)
		}, "SkipUnknown and Otherwise"},
		{"Otherwise and SkipUnknown", func() {
			o := qsocket.Otherwise(func(uint64, []byte) (testkit.Event, error) { return nil, nil })
			qsocket.Union(placed, o, qsocket.SkipUnknown[testkit.Event]())
		}, "SkipUnknown and Otherwise"},
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, test.want) {
					t.Errorf("%s: panicked with %q, want: %s", test.name, got, test.want)
				}
			}()
			test.make()
		}()
	}
}

func TestUnionStateless(t *testing.T) {
	for _, test := range []struct {
		codec qsocket.Codec[testkit.Event]
		want  bool
	}{
		{testkit.UnionOf(qsocket.Msgpack[testkit.Placed](), qsocket.JSON[*testkit.Filled](), qsocket.Msgpack[testkit.Reason]()), true},
		{testkit.UnionOf(qsocket.Msgpack[testkit.Placed](), qsocket.Gob[*testkit.Filled](), qsocket.Msgpack[testkit.Reason]()), false},
	} {
		_, err := qsocket.Protocol[testkit.Event]{Codec: test.codec}.Prepare(testkit.Placed{})
		if got := err == nil; got != test.want {
			t.Errorf("%s: Prepare returned %v", test.codec.Name(), err)
		}
	}
}

// What a union costs above the codec of its case: compare the two.
func BenchmarkUnion(b *testing.B) {
	v := testkit.Placed{ID: 7, Symbol: "ABC"}
	var events []qsocket.Variant[testkit.Event]
	events = append(events, qsocket.Case[testkit.Event](1, qsocket.Msgpack[testkit.Placed]()), qsocket.Case[testkit.Event](2, qsocket.Msgpack[*testkit.Filled]()), qsocket.Case[testkit.Event](3, qsocket.Msgpack[testkit.Reason]()))
	plain, union := qsocket.Msgpack[testkit.Placed](), qsocket.Union(events...)
	payload, err := plain.NewEncoder().Append(nil, v)
	if err != nil {
		b.Fatal(err)
	}
	var buf []byte
	b.Run("op=encode/codec=plain", func(b *testing.B) {
		e := plain.NewEncoder()
		for b.Loop() {
			buf, _ = e.Append(buf[:0], v)
		}
	})
	b.Run("op=encode/codec=union", func(b *testing.B) {
		e, boxed := union.NewEncoder(), testkit.Event(v)
		for b.Loop() {
			buf, _ = e.Append(buf[:0], boxed)
		}
	})
	b.Run("op=encode/codec=union/case=alternating", func(b *testing.B) {
		e := union.NewEncoder()
		boxed, other := testkit.Event(v), testkit.Event(testkit.Reason("ABC"))
		for b.Loop() {
			buf, _ = e.Append(buf[:0], boxed)
			boxed, other = other, boxed
		}
	})
	var sink testkit.Event
	b.Run("op=decode/codec=plain", func(b *testing.B) {
		d := plain.NewDecoder()
		for b.Loop() {
			v, _ := d.Decode(payload)
			sink = v // as an interface, which is what the union delivers
		}
	})
	b.Run("op=decode/codec=union", func(b *testing.B) {
		d, tagged := union.NewDecoder(), append([]byte{1}, payload...)
		for b.Loop() {
			sink, _ = d.Decode(tagged)
		}
	})
	_ = sink
}

// lateCodec cannot make an Encoder yet.
type lateCodec struct{ qsocket.Codec[testkit.Placed] }

func (lateCodec) Stateless() bool { return true }

func (lateCodec) NewEncoder() qsocket.Encoder[testkit.Placed] {
	panic("before the program has registered what it needs")
}

// A Union of stateless codecs makes no Encoder: a protocol is a package's variable,
// and what the codecs need may be registered only after that, in init or main.
func TestUnionMakesNoEncoderEarly(t *testing.T) {
	codec := qsocket.Union(qsocket.Case[testkit.Event](1, qsocket.Codec[testkit.Placed](lateCodec{qsocket.Msgpack[testkit.Placed]()})))
	if got := codec.Name(); got != "union(msgpack)" {
		t.Errorf("Name is %q", got)
	}
}
