package qsocket_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/google/go-cmp/cmp"
)

// unionEvent is a sum type with a value case, a pointer case and others.
type unionEvent interface{ isUnionEvent() }

type unionPlaced struct {
	ID     uint64
	Symbol string
}

type unionFilled struct {
	ID    uint64
	Legs  []int
	Price float64
}

type unionReason string

type unionTick struct{}

func (unionPlaced) isUnionEvent()  {}
func (*unionFilled) isUnionEvent() {}
func (unionReason) isUnionEvent()  {}
func (unionTick) isUnionEvent()    {}

// unionOf makes the same union with any codec.
func unionOf(placed qsocket.Codec[unionPlaced], filled qsocket.Codec[*unionFilled], reason qsocket.Codec[unionReason]) qsocket.Codec[unionEvent] {
	return qsocket.Union(
		qsocket.Case[unionEvent](300, reason),
		qsocket.Case[unionEvent](1, placed),
		qsocket.Case[unionEvent](2, filled),
	)
}

var unionValues = []unionEvent{
	unionPlaced{7, "ABC"},
	&unionFilled{8, []int{1, 2}, 1.5},
	unionReason("closed"),
	unionPlaced{},
	&unionFilled{},
	unionReason(""),
	unionPlaced{9, "DEF"},
}

func TestUnion(t *testing.T) {
	for name, codec := range map[string]qsocket.Codec[unionEvent]{
		"union(msgpack)":          unionOf(qsocket.Msgpack[unionPlaced](), qsocket.Msgpack[*unionFilled](), qsocket.Msgpack[unionReason]()),
		"union(gob)":              unionOf(qsocket.Gob[unionPlaced](), qsocket.Gob[*unionFilled](), qsocket.Gob[unionReason]()),
		"union(json)":             unionOf(qsocket.JSON[unionPlaced](), qsocket.JSON[*unionFilled](), qsocket.JSON[unionReason]()),
		"union(gob,msgpack,json)": unionOf(qsocket.Gob[unionPlaced](), qsocket.Msgpack[*unionFilled](), qsocket.JSON[unionReason]()),
	} {
		t.Run(name, func(t *testing.T) {
			if got := codec.Name(); got != name {
				t.Errorf("Name is %q", got)
			}
			a, b := pair(t, "tcp", qsocket.Protocol[unionEvent]{Name: "union/1", Codec: codec}, nil, nil)
			ctx := testContext(t)
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
	enc := unionOf(qsocket.Msgpack[unionPlaced](), qsocket.Msgpack[*unionFilled](), qsocket.Msgpack[unionReason]()).NewEncoder()
	for i, want := range []string{
		"01 82 a2 4944 07 a6 53796d626f6c a3 414243",
		"02 83 a2 4944 08 a4 4c656773 92 01 02 a5 5072696365 cb 3ff8000000000000",
		"ac02 a6 636c6f736564", // 300, "closed"
	} {
		got, err := enc.Append(nil, unionValues[i])
		if err != nil || string(got) != string(unhex(want)) {
			t.Errorf("got % x, %v, want %s", got, err, want)
		}
	}
}

func TestUnionRefusesValues(t *testing.T) {
	p := qsocket.Protocol[unionEvent]{Codec: unionOf(qsocket.Msgpack[unionPlaced](), qsocket.Msgpack[*unionFilled](), qsocket.Gob[unionReason]())}
	a, b := pair(t, "tcp", p, &qsocket.Options{MaxFrame: 100}, nil)
	ctx := testContext(t)
	for _, test := range []struct {
		v    unionEvent
		want string
	}{
		{nil, "a nil qsocket_test.unionEvent has no case"},
		{unionTick{}, "unionTick has no case, want one of: 1 qsocket_test.unionPlaced, 2 *qsocket_test.unionFilled, 300 qsocket_test.unionReason"},
		{&unionPlaced{}, "*qsocket_test.unionPlaced has no case"},
		{(*unionFilled)(nil), "a nil *qsocket_test.unionFilled cannot be sent"},
		{unionPlaced{Symbol: "\xff"}, "UTF-8"},
	} {
		err := a.Send(ctx, test.v)
		var ce *qsocket.CodecError
		if !errors.As(err, &ce) || ce.Op != "encode" || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%T: got %v, want: %s", test.v, err, test.want)
		}
	}
	// A stream that is too long for the frame begins anew.
	for _, v := range []unionEvent{unionReason("a"), unionReason(strings.Repeat("x", 200)), unionReason("b"), unionPlaced{1, "c"}} {
		if err := a.Send(ctx, v); err != nil && !errors.Is(err, qsocket.ErrFrameTooLarge) {
			t.Fatal(err)
		}
	}
	for _, want := range []unionEvent{unionReason("a"), unionReason("b"), unionPlaced{1, "c"}} {
		if got, err := b.Recv(ctx); err != nil || got != want {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	}
}

func TestUnionRefusesPayloads(t *testing.T) {
	codec := unionOf(qsocket.Msgpack[unionPlaced](), qsocket.Msgpack[*unionFilled](), qsocket.Gob[unionReason]())
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
		{"02 c0", "case 2: got nil, want a qsocket_test.unionFilled"},
		{"02 c0 c0", "case 2: "},
		{"ac02 00", "case 300: "},
	} {
		p := qsocket.Protocol[unionEvent]{Codec: codec}
		nc, peer := netPair(t, "tcp")
		b, err := qsocket.NewConn(testContext(t), nc, p, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer end(b)
		if _, err := peer.Write([]byte(wire(t, qsocket.Uint32, string(unhex(test.payload))))); err != nil {
			t.Fatal(err)
		}
		_, err = b.Recv(testContext(t))
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

func (unionUnknown) isUnionEvent() {}

func TestUnionOtherwise(t *testing.T) {
	newer := qsocket.Protocol[unionEvent]{Name: "union/1", Codec: qsocket.Union(
		qsocket.Case[unionEvent](1, qsocket.Msgpack[unionPlaced]()),
		qsocket.Case[unionEvent](5, qsocket.Msgpack[unionReason]()),
	)}
	older := qsocket.Protocol[unionEvent]{Name: "union/1", Codec: qsocket.Union(
		qsocket.Case[unionEvent](1, qsocket.Msgpack[unionPlaced]()),
		qsocket.Otherwise(func(tag uint64, payload []byte) (unionEvent, error) {
			if string(payload) == "\xa3bad" {
				return nil, errors.New("a bad one")
			}
			return unionUnknown{tag, string(payload)}, nil
		}),
	)}
	na, nb := netPair(t, "tcp")
	made := async(func() *qsocket.Conn[unionEvent] {
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
	b := result(t, "NewConn", made)
	defer end(a)
	defer end(b)
	if got := b.Peer().Differences; !strings.Contains(got, "case 5 is only at the peer") {
		t.Errorf("differences: %q", got)
	}
	ctx := testContext(t)
	for _, v := range []unionEvent{unionReason("new"), unionPlaced{1, "old"}, unionReason("bad")} {
		if err := a.Send(ctx, v); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []unionEvent{unionUnknown{5, "\xa3new"}, unionPlaced{1, "old"}} {
		if got, err := b.Recv(ctx); err != nil || got != want {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	}
	var ce *qsocket.CodecError
	if _, err := b.Recv(ctx); !errors.As(err, &ce) || !strings.Contains(err.Error(), "a bad one") {
		t.Errorf("got %v, want the error of the function", err)
	}
}

// notEvent implements nothing.
type notEvent struct{}

func TestUnionPanics(t *testing.T) {
	placed := qsocket.Case[unionEvent](1, qsocket.Msgpack[unionPlaced]())
	for _, test := range []struct {
		name string
		make func()
		want string
	}{
		{"does not implement", func() { qsocket.Case[unionEvent](1, qsocket.Msgpack[notEvent]()) },
			"Case 1: qsocket_test.notEvent does not implement qsocket_test.unionEvent"},
		{"pointer implements", func() { qsocket.Case[unionEvent](2, qsocket.Msgpack[unionFilled]()) },
			"Case 2: qsocket_test.unionFilled does not implement qsocket_test.unionEvent, but *qsocket_test.unionFilled does"},
		{"an interface", func() { qsocket.Case[unionEvent](1, qsocket.Msgpack[unionEvent]()) }, "is an interface"},
		{"T is no interface", func() { qsocket.Case[string](1, qsocket.Msgpack[string]()) }, "string is not an interface"},
		{"nil codec", func() { qsocket.Case[unionEvent, unionPlaced](3, nil) }, "Case 3: the codec of qsocket_test.unionPlaced is nil"},
		{"tag twice", func() { qsocket.Union(placed, qsocket.Case[unionEvent](1, qsocket.Msgpack[unionReason]())) },
			"tag 1 is given to qsocket_test.unionPlaced and to qsocket_test.unionReason"},
		{"type twice", func() { qsocket.Union(placed, qsocket.Case[unionEvent](2, qsocket.Msgpack[unionPlaced]())) },
			"qsocket_test.unionPlaced has the tags 1 and 2"},
		{"the same twice", func() { qsocket.Union(placed, placed) }, "tag 1 is given to"},
		{"nil Variant", func() { qsocket.Union(placed, nil) }, "a Variant is nil"},
		{"no cases", func() { qsocket.Union[unionEvent]() }, "without a Case"},
		{"nil Otherwise", func() { qsocket.Otherwise[unionEvent](nil) }, "Otherwise without a function"},
		{"Otherwise twice", func() {
			o := qsocket.Otherwise(func(uint64, []byte) (unionEvent, error) { return nil, nil })
			qsocket.Union(placed, o, o)
		}, "Otherwise is given twice"},
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
		codec qsocket.Codec[unionEvent]
		want  bool
	}{
		{unionOf(qsocket.Msgpack[unionPlaced](), qsocket.JSON[*unionFilled](), qsocket.Msgpack[unionReason]()), true},
		{unionOf(qsocket.Msgpack[unionPlaced](), qsocket.Gob[*unionFilled](), qsocket.Msgpack[unionReason]()), false},
	} {
		_, err := qsocket.Protocol[unionEvent]{Codec: test.codec}.Prepare(unionPlaced{})
		if got := err == nil; got != test.want {
			t.Errorf("%s: Prepare returned %v", test.codec.Name(), err)
		}
	}
}

// What a union costs above the codec of its case: compare the two.
func BenchmarkUnion(b *testing.B) {
	v := unionPlaced{7, "ABC"}
	var events []qsocket.Variant[unionEvent]
	events = append(events, qsocket.Case[unionEvent](1, qsocket.Msgpack[unionPlaced]()), qsocket.Case[unionEvent](2, qsocket.Msgpack[*unionFilled]()), qsocket.Case[unionEvent](3, qsocket.Msgpack[unionReason]()))
	plain, union := qsocket.Msgpack[unionPlaced](), qsocket.Union(events...)
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
		e, boxed := union.NewEncoder(), unionEvent(v)
		for b.Loop() {
			buf, _ = e.Append(buf[:0], boxed)
		}
	})
	b.Run("op=encode/codec=union/case=alternating", func(b *testing.B) {
		e := union.NewEncoder()
		boxed, other := unionEvent(v), unionEvent(unionReason("ABC"))
		for b.Loop() {
			buf, _ = e.Append(buf[:0], boxed)
			boxed, other = other, boxed
		}
	})
	var sink unionEvent
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
type lateCodec struct{ qsocket.Codec[unionPlaced] }

func (lateCodec) Stateless() bool { return true }

func (lateCodec) NewEncoder() qsocket.Encoder[unionPlaced] {
	panic("before the program has registered what it needs")
}

// A Union of stateless codecs makes no Encoder: a protocol is a package's variable,
// and what the codecs need may be registered only after that, in init or main.
func TestUnionMakesNoEncoderEarly(t *testing.T) {
	codec := qsocket.Union(qsocket.Case[unionEvent](1, qsocket.Codec[unionPlaced](lateCodec{qsocket.Msgpack[unionPlaced]()})))
	if got := codec.Name(); got != "union(msgpack)" {
		t.Errorf("Name is %q", got)
	}
}
