package fit

import (
	"encoding/gob"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/vmihailenco/msgpack/v5"
)

// Types whose values can be nested without a bound.
type (
	deepNode struct {
		V    int
		Next *deepNode
		Kids []deepNode
		M    map[string]deepNode
		Any  any
		L    []int
		E    struct{ S struct{ N []string } }
		F    *deepLeaf
	}
	// A deepLeaf is nested by its type, partly by what no value can change.
	deepLeaf struct {
		Array [1][2][1]struct{ N int }
		Slice [][1][1]int
		Elem  map[string][1][1]int
		Key   map[[1][1]int]int `json:"-"`
		Inner struct{ A, B struct{ C [2]bool } }
		Empty [0][1][1]int
		Ptr   **********int
	}
	deepSlice []deepSlice
	deepMap   map[string]deepMap

	// A Parent is not encoded, so a tree with them contains itself for nobody.
	deepTree struct {
		Parent *deepTree `json:"-" msgpack:"-"`
		hidden *deepTree
		Name   string
		Kids   []*deepTree
	}
)

func init() {
	gob.Register(deepNode{})
	gob.Register(deepSlice{})
	gob.Register(deepMap{})
	gob.Register([]any{})
	gob.Register([1][1][1]int{})
	gob.Register(map[string]any{})
}

// deepCodecs are those in which somebody else's encoder follows values of T, and ours.
func deepCodecs[T any]() []qsocket.Codec[T] {
	return []qsocket.Codec[T]{qsocket.Gob[T](), qsocket.JSON[T](), qsocket.Msgpack[T]()}
}

// refusedByAll fails the test unless the encoders refuse v and go on to work: good gets across.
func refusedByAll[T any](t *testing.T, name string, v, good T) {
	for _, c := range deepCodecs[T]() {
		t.Run(name+"/"+c.Name(), func(t *testing.T) {
			enc, dec := c.NewEncoder(), c.NewDecoder()
			for range 2 {
				if _, err := enc.Append(nil, v); err == nil {
					t.Error("it is accepted")
				} else if n := len(err.Error()); n > 1024 {
					t.Errorf("the error has %d bytes", n)
				}
				p, err := enc.Append(nil, good)
				if err != nil {
					t.Fatalf("the next message: %v", err)
				}
				if _, err := dec.Decode(p); err != nil {
					t.Fatalf("the next message: %v", err)
				}
			}
		})
	}
}

// A value that contains itself, or is nested too deep for the stack, is an error of Send:
// the process would end of it.
func TestEndlessValuesAreRefused(t *testing.T) {
	loop := &deepNode{V: 1}
	loop.Next = loop
	refusedByAll(t, "pointer", *loop, deepNode{V: 1})
	refusedByAll(t, "pointer to it", loop, &deepNode{V: 1})

	kids := deepNode{Kids: make([]deepNode, 1)}
	kids.Kids[0].Kids = kids.Kids
	refusedByAll(t, "slice", kids, deepNode{V: 1})

	entries := deepNode{M: map[string]deepNode{}}
	entries.M["k"] = entries
	refusedByAll(t, "map", entries, deepNode{V: 1})

	slice := make(deepSlice, 1)
	slice[0] = slice
	refusedByAll(t, "slice of itself", slice, deepSlice{{}})

	m := deepMap{}
	m["k"] = m
	refusedByAll(t, "map of itself", m, deepMap{"k": {}})

	list := make([]any, 1)
	list[0] = list
	refusedByAll(t, "any", any(list), any([]any{1}))
	object := map[string]any{}
	object["k"] = object
	refusedByAll(t, "any map", any(object), any(map[string]any{"k": 1}))
	refusedByAll(t, "in an any", deepNode{Any: object}, deepNode{Any: []any{1}})

	var long *deepNode
	for range 2_000_000 {
		long = &deepNode{Next: long}
	}
	refusedByAll(t, "long list", long, &deepNode{V: 1})
}

// What is not encoded does not count.
func TestParentsAreNoCycle(t *testing.T) {
	root := &deepTree{Name: "root"}
	for range 3 {
		kid := &deepTree{Name: "kid", hidden: root}
		kid.hidden = kid
		root.Kids = append(root.Kids, kid)
	}
	root.Parent = root
	for _, c := range []qsocket.Codec[*deepTree]{qsocket.JSON[*deepTree](), qsocket.Msgpack[*deepTree]()} {
		p, err := c.NewEncoder().Append(nil, root)
		if err != nil {
			t.Fatalf("%s: %v", c.Name(), err)
		}
		got, err := c.NewDecoder().Decode(p)
		if err != nil || len(got.Kids) != 3 || got.Kids[2].Name != "kid" {
			t.Errorf("%s: got %+v, %v", c.Name(), got, err)
		}
	}
}

// The limit is the decoder's: what is accepted arrives, and what is refused would not be
// taken. Values of 90 to 110 levels of all kinds are tried.
func TestDepthIsTheDecoders(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 7))
		levels := 90 + r.IntN(21)
		var v deepNode
		switch r.IntN(6) {
		case 0:
			v.F = &deepLeaf{}
		case 1:
			v.F = &deepLeaf{Slice: make([][1][1]int, r.IntN(2))}
		case 2:
			v.F = &deepLeaf{Elem: map[string][1][1]int{"k": {}}}
		case 3:
			v.F = &deepLeaf{Key: map[[1][1]int]int{{}: 1}}
		case 4:
			v.Any = [1][1][1]int{}
		}
		for n := 0; n < levels; {
			inner := v
			v = deepNode{V: int(seed)}
			switch r.IntN(7) {
			case 0:
				v.Next = &inner
				n++
			case 1:
				v.Kids = []deepNode{{}, inner}
				n += 2
			case 2:
				v.M = map[string]deepNode{"k": inner}
				n += 2
			case 3:
				v.Any = inner
				n++
			case 4:
				v.Any = []any{inner}
				n += 2
			case 5:
				v.Any = map[string]any{"k": inner}
				n += 2
			case 6:
				v.L = []int{1}
				v.E.S.N = []string{"x"}
				v.Next = &inner
				n++
			}
		}
		checkDepth(t, fmt.Sprint("seed ", seed), qsocket.Gob[deepNode](), v)
		checkDepth(t, fmt.Sprint("seed ", seed), qsocket.JSON[deepNode](), v)
	}
}

func checkDepth(t *testing.T, name string, c qsocket.Codec[deepNode], v deepNode) {
	t.Helper()
	p, err := c.NewEncoder().Append(nil, v)
	if err != nil {
		if !strings.Contains(err.Error(), "deeper than") {
			t.Errorf("%s, %s: %v", name, c.Name(), err)
		}
		// It would have been refused by the decoder: gob's own encoder has no limit.
		if c.Name() == "gob" {
			if _, err := c.NewDecoder().Decode(gobBytes(t, v)); err == nil {
				t.Errorf("%s: refused, but the decoder takes it", name)
			}
		}
		return
	}
	if _, err := c.NewDecoder().Decode(p); err != nil {
		t.Errorf("%s, %s: accepted, but %v", name, c.Name(), err)
	}
}

func gobBytes(t *testing.T, v any) []byte {
	var b strings.Builder
	if err := gob.NewEncoder(&b).EncodeValue(reflect.ValueOf(v)); err != nil {
		t.Fatal(err)
	}
	return []byte(b.String())
}

// Types that v5 encodes, by methods that have it encode a part of them.
type (
	deepFlat  struct{ Next *deepFlat }  // one value after the other
	deepArray struct{ Next *deepArray } // an array in an array
	deepWide  struct{ Next *deepWide }  // in arrays that promise more than they have
	deepPlain struct {
		S    string
		Next *deepPlain
	}
	deepPlainFields deepPlain
	deepMixed       struct{ Plain *deepHeld }
	deepHeld        struct {
		S     string
		Mixed *deepMixed
	}
)

func (v *deepFlat) EncodeMsgpack(enc *msgpack.Encoder) error { return enc.EncodeMulti(1, v.Next) }

func (v *deepArray) EncodeMsgpack(enc *msgpack.Encoder) error {
	if err := enc.EncodeArrayLen(1); err != nil {
		return err
	}
	return enc.Encode(v.Next)
}

func (v *deepWide) EncodeMsgpack(enc *msgpack.Encoder) error {
	if err := enc.EncodeArrayLen(1 << 30); err != nil {
		return err
	}
	return enc.Encode(v.Next)
}

func (v *deepPlain) EncodeMsgpack(enc *msgpack.Encoder) error {
	return enc.Encode((*deepPlainFields)(v))
}

func (v *deepMixed) EncodeMsgpack(enc *msgpack.Encoder) error { return enc.Encode(v.Plain) }

// What methods of types make v5 follow comes to an end, too.
func TestEndlessMethodsAreRefused(t *testing.T) {
	flat := &deepFlat{}
	flat.Next = flat
	endlessMsgpack(t, flat)
	array := &deepArray{}
	array.Next = array
	endlessMsgpack(t, array)
	wide := &deepWide{}
	wide.Next = wide
	endlessMsgpack(t, wide)
	plain := &deepPlain{S: strings.Repeat("x", 100)}
	plain.Next = plain
	endlessMsgpack(t, plain)
	mixed := &deepMixed{&deepHeld{S: "x"}}
	mixed.Plain.Mixed = mixed
	endlessMsgpack(t, mixed)

	var long *deepArray
	for range 2_000_000 {
		long = &deepArray{Next: long}
	}
	endlessMsgpack(t, long)
}

func endlessMsgpack[T any](t *testing.T, v T) {
	t.Helper()
	enc := qsocket.Msgpack[T]().NewEncoder()
	for range 2 {
		if _, err := enc.Append(nil, v); err == nil {
			t.Errorf("%T is accepted", v)
		}
		if p, err := enc.Append(nil, *new(T)); err != nil || string(p) != "\xc0" {
			t.Errorf("%T: the next message is % x, %v", v, p, err)
		}
	}
}

// In an interface with methods nothing arrives but a time.Time (or an extension): what else it
// holds is an error of Send.
func TestMsgpackInterfaceHoldsWhatArrives(t *testing.T) {
	type message struct{ S fmt.Stringer }
	c := qsocket.Msgpack[message]()
	enc, dec := c.NewEncoder(), c.NewDecoder()
	for _, v := range []fmt.Stringer{time.Second, &url.URL{Host: "example.com"}} {
		if _, err := enc.Append(nil, message{v}); err == nil || !strings.Contains(err.Error(), "nothing can be received for a") {
			t.Errorf("%T: got %v, want an error about what can be received", v, err)
		}
	}
	for _, v := range []fmt.Stringer{nil, time.Unix(5, 6)} {
		p, err := enc.Append(nil, message{v})
		if err != nil {
			t.Fatalf("%T: %v", v, err)
		}
		got, err := dec.Decode(p)
		if err != nil || fmt.Sprint(got.S) != fmt.Sprint(v) {
			t.Errorf("%T: got %v, %v, want %v", v, got.S, err, v)
		}
	}
}

// A number in an any arrives as a float64: one that is none is an error of Send. In a field
// that is a json.Number it is not.
func TestJSONNumbersInAnys(t *testing.T) {
	digits := json.Number(strings.Repeat("9", 320))
	for _, n := range []json.Number{"1e400", "-1E+400", "1.5e999", digits, digits + ".5", "0.1e00309" + "1"} {
		for _, v := range []any{n, []any{1, n}, map[string]any{"a": &n}} {
			if _, err := qsocket.JSON[any]().NewEncoder().Append(nil, v); err == nil || !strings.Contains(err.Error(), "the receiver would refuse it") {
				t.Errorf("%.20s in a %T: got %v, want an error", n, v, err)
			}
		}
	}
	type message struct {
		N json.Number
		X any
	}
	for _, n := range []json.Number{"1e400", digits, "1e300", "1e-400", "12e-0005"} {
		v := message{N: n, X: "1e999"}
		if n[:2] != "1e" || n == "1e300" {
			v.X = json.Number(`1e308`)
		}
		p, err := qsocket.JSON[message]().NewEncoder().Append(nil, v)
		if err != nil {
			t.Errorf("%.20s: %v", n, err)
			continue
		}
		if got, err := qsocket.JSON[message]().NewDecoder().Decode(p); err != nil || got.N != n {
			t.Errorf("%.20s: got %.20s, %v", n, got.N, err)
		}
	}
}
