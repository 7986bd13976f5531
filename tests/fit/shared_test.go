package fit

import (
	"encoding/gob"
	"errors"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
)

// Types of values in which a few parts can be encoded any number of times.
type (
	sharedNode struct {
		A, B *sharedNode
		N    int
	}
	sharedKids struct{ Kids []sharedKids }
	sharedMap  map[string]sharedMap
	sharedAny  struct{ V, W any }
	sharedOmit struct {
		V any `msgpack:",omitempty" json:",omitempty"`
		W any `msgpack:",omitempty" json:",omitempty"`
	}
	sharedName struct {
		A, B                                         *sharedName
		ThisFieldHasANameThatIsLongerThanMostOthersX int
	}
	sharedTexts struct{ Texts []string }
	sharedInts  struct {
		A, B                            *sharedInts
		I0, I1, I2, I3, I4, I5, I6, I7  int64
		J0, J1, J2, J3, J4, J5, J6, J7  uint64
		Inner                           struct{ F0, F1, F2, F3, F4, F5, F6, F7 float64 }
		K0, K1, K2, K3, K4, K5, K6, K7  *int
		Skip                            func() `msgpack:"-" json:"-"`
		Zero0, Zero1, Zero2, Zero3, Zer int    `json:",omitempty"`
	}
	flat1 struct{ A, B *flat2 }
	flat2 struct{ A, B, C, D *flat3 }
	flat3 struct{ A, B, C, D *flat4 }
	flat4 struct{ A, B, C, D *flat5 }
	flat5 struct{ A, B, C, D *flat6 }
	flat6 struct{ A, B, C, D *flat7 }
	flat7 struct{ A, B, C, D *flat8 }
	flat8 struct{ A, B, C, D *flat9 }
	flat9 struct{ A, B, C, D *string }
)

func init() {
	gob.Register(sharedAny{})
	gob.Register(&sharedNode{})
	gob.Register([]string{})
	gob.Register([][]byte{})
	gob.Register(struct{}{})
}

// tooLarge fails the test unless Send of v returns ErrFrameTooLarge by each codec, without much
// memory, and the connection goes on to work: good arrives.
func tooLarge[T any](t *testing.T, name string, v, good T) {
	const maxFrame = 1 << 20
	for _, c := range deepCodecs[T]() {
		t.Run(name+"/"+c.Name(), func(t *testing.T) {
			tooLargeBy(t, c, maxFrame, v, good)
		})
		if reflect.TypeFor[T]().Kind() == reflect.Interface {
			continue
		}
		t.Run(name+"/union of "+c.Name(), func(t *testing.T) {
			u := qsocket.Union(qsocket.Case[any](7, c), qsocket.Case[any](9, qsocket.Gob[int]()))
			tooLargeBy(t, u, maxFrame, any(v), any(good))
		})
	}
}

func tooLargeBy[T any](t *testing.T, c qsocket.Codec[T], maxFrame int, v, good T) {
	a, b, err := qsocket.Pipe(qsocket.Protocol[T]{Codec: c}, &qsocket.Options{MaxFrame: maxFrame})
	if err != nil {
		t.Skip(err) // the codec has no such type
	}
	defer a.Close()
	defer b.Close()
	for range 2 {
		if err := a.Send(t.Context(), good); err != nil {
			t.Fatalf("a good message: %v", err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		err := a.Send(t.Context(), v)
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, qsocket.ErrFrameTooLarge) {
			t.Fatalf("got %v, want ErrFrameTooLarge", err)
		}
		if !strings.Contains(err.Error(), "exceeds MaxFrame 1048576") {
			t.Errorf("got %q, want the limit in it", err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 100*uint64(maxFrame) {
			t.Errorf("%d MiB were allocated for it", n>>20)
		}
		if took > 20*time.Second {
			t.Errorf("it took %v", took)
		}
		if testing.Verbose() {
			t.Logf("%v after %v, %d KiB", err, took, (after.TotalAlloc-before.TotalAlloc)>>10)
		}
		if _, err := b.Recv(t.Context()); err != nil {
			t.Fatalf("the good message: %v", err)
		}
	}
}

// A value is encoded as often as there are ways to it: a small one can be without an end. Send
// returns ErrFrameTooLarge soon after that is certain.
func TestSharedPartsAreTooLarge(t *testing.T) {
	node := &sharedNode{N: 1}
	for range 60 {
		node = &sharedNode{A: node, B: node, N: 1}
	}
	tooLarge(t, "pointers", node, &sharedNode{N: 1})
	tooLarge(t, "pointers in an any", any(node), any(&sharedNode{N: 1}))
	tooLarge(t, "pointers in anys", any([]any{1, node}), any([]any{1}))

	kids := sharedKids{}
	for range 45 {
		kids = sharedKids{[]sharedKids{kids, kids}}
	}
	tooLarge(t, "slices", kids, sharedKids{})

	m := sharedMap{}
	for range 60 {
		m = sharedMap{"a": m, "b": m}
	}
	tooLarge(t, "maps", m, sharedMap{})

	var list, object, nothing any = 1, 1, []any{}
	var omitted any = sharedOmit{}
	for range 48 {
		list = []any{list, list}
		object = map[string]any{"a": object, "b": object}
		nothing = []any{nothing, nothing}
		omitted = []any{sharedOmit{V: 1, W: omitted}, omitted}
	}
	tooLarge(t, "lists of any", list, any(1))
	tooLarge(t, "maps of any", object, any(1))
	tooLarge(t, "lists of nothing", nothing, any(1))
	tooLarge(t, "lists of nothing in a struct", sharedAny{V: nothing}, sharedAny{})

	name := &sharedName{}
	ints := &sharedInts{}
	eight := 8
	for range 60 {
		name = &sharedName{A: name, B: name}
		ints = &sharedInts{A: ints, B: ints, I0: -1 << 40, J3: 1 << 60, K1: &eight}
		ints.Inner.F3 = 1e100
	}
	tooLarge(t, "long names", name, &sharedName{})
	tooLarge(t, "numbers", ints, &sharedInts{})

	text := strings.Repeat("é", 10_000)
	texts, blobs, keyed := make([]string, 10_000), make([][]byte, 10_000), make(map[string]string)
	for i := range texts {
		texts[i], blobs[i] = text, []byte(text)[:i]
		keyed[text[:2*i]] = text
	}
	tooLarge(t, "one text", texts, []string{"a"})
	tooLarge(t, "one text in a struct", sharedTexts{texts}, sharedTexts{})
	tooLarge(t, "one text in lists", [][]string{texts[:9], texts[:900]}, nil)
	tooLarge(t, "one blob", blobs, [][]byte{{1}})
	tooLarge(t, "one text in an any", any(texts), any([]string{"a"}))
	tooLarge(t, "texts in each other", keyed, map[string]string{"a": "b"})
	keys := make(map[string]bool)
	for k := range keyed {
		keys[k] = true
	}
	tooLarge(t, "keys in each other", keys, map[string]bool{"a": true})
	pairs := make(map[[2]string]int)
	for i := range 10_000 {
		pairs[[2]string{text, strconv.Itoa(i)}] = i
	}
	tooLarge(t, "keys that hold one text", pairs, nil)

	f9 := &flat9{&text, &text, &text, &text}
	f8 := &flat8{f9, f9, f9, f9}
	f7 := &flat7{f8, f8, f8, f8}
	f6 := &flat6{f7, f7, f7, f7}
	f5 := &flat5{f6, f6, f6, f6}
	f4 := &flat4{f5, f5, f5, f5}
	f3 := &flat3{f4, f4, f4, f4}
	f2 := &flat2{f3, f3, f3, f3}
	tooLarge(t, "a type that is not recursive", flat1{f2, f2}, flat1{})
	tooLarge(t, "structs without fields", make([]struct{}, 50_000_000), []struct{}{{}})
	tooLarge(t, "an array of nothing", struct{ A *[1 << 30]struct{} }{new([1 << 30]struct{})}, struct{ A *[1 << 30]struct{} }{})
}

// What is left out because it is empty is not encoded, but has to be looked at.
func TestSharedPartsAreEmpty(t *testing.T) {
	var v any = sharedOmit{}
	for range 60 {
		v = sharedOmit{v, v}
	}
	_, err := qsocket.Msgpack[any]().NewEncoder().Append(nil, v)
	if err == nil || !strings.Contains(err.Error(), "too many parts") {
		t.Errorf("got %v, want an error about too many parts", err)
	}
	var long any = sharedOmit{}
	for range 5_000_000 {
		long = sharedOmit{V: long}
	}
	_, err = qsocket.Msgpack[any]().NewEncoder().Append(nil, long)
	if err == nil || !strings.Contains(err.Error(), "too many parts") {
		t.Errorf("got %v, want an error about too many parts", err)
	}
}
