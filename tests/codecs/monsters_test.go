package codecs

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net/url"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/vmihailenco/msgpack/v5"
)

// Types with values that no codec can carry.
type (
	ring struct {
		Next *ring
		Any  any
		Kids []ring
		M    map[string]ring
		Ps   []*ring
		Key  map[any]*ring
	}
	slices  []slices
	tables  map[string]tables
	loop    *loop
	anyLoop struct{ P *any }
	array   struct{ A [2]*array }

	// The methods of a selfish one encode it again.
	selfishText   struct{ N *selfishText }
	selfishPack   struct{ N *selfishPack }
	selfishBinary struct{ N *selfishBinary }
	panics        struct{ N int }
	noError       struct{ error }
)

func (s *selfishText) MarshalJSON() ([]byte, error)           { return json.Marshal((*plainText)(s)) }
func (s *selfishText) UnmarshalJSON(b []byte) error           { return json.Unmarshal(b, (*plainText)(s)) }
func (s *selfishPack) EncodeMsgpack(e *msgpack.Encoder) error { return e.Encode((*plainPack)(s)) }
func (s *selfishPack) DecodeMsgpack(d *msgpack.Decoder) error { return d.Decode((*plainPack)(s)) }
func (panics) MarshalText() ([]byte, error)                   { panic("a method") }
func (panics) MarshalJSON() ([]byte, error)                   { panic(errors.New("a method")) }
func (panics) MarshalBinary() ([]byte, error)                 { var p *int; return nil, fmt.Errorf("%d", *p) }
func (*panics) UnmarshalText([]byte) error                    { panic(nil) }
func (*panics) UnmarshalJSON([]byte) error                    { panic(nil) }
func (*panics) UnmarshalBinary([]byte) error                  { panic(nil) }

type (
	plainText selfishText
	plainPack selfishPack
)

// monsters are values that a program can build.
func monsters() (all []monster) {
	add := func(name string, v any) { all = append(all, monster{name, v}) }
	r := &ring{}
	r.Next = r
	add("pointer to itself", r)
	add("behind it", ring{Next: &ring{Next: r}})
	k := ring{Kids: make([]ring, 1)}
	k.Kids[0].Kids = k.Kids
	add("slice in itself", k)
	m := ring{M: map[string]ring{}}
	m.M["m"] = m
	add("map in itself", m)
	p := &ring{Ps: make([]*ring, 3)}
	p.Ps[0], p.Ps[1], p.Ps[2] = p, p, p
	add("three pointers to itself", p)
	key := &ring{}
	key.Key = map[any]*ring{key: key}
	add("key that is itself", key)
	var a any
	a = &a
	add("any to itself", a)
	add("any to itself, in a field", anyLoop{&a})
	list := make([]any, 2)
	list[0], list[1] = list, list
	add("list of itself, twice", list)
	object := map[string]any{}
	object["o"] = object
	add("map of itself", object)
	keyed := map[any]any{}
	keyed[&keyed] = keyed
	add("map with itself as a key", keyed)
	var lp loop
	lp = &lp
	add("pointer that is itself", lp)
	s := make(slices, 1)
	s[0] = s
	add("slices of themselves", s)
	t := tables{}
	t["t"] = t
	add("tables of themselves", t)
	ar := &array{}
	ar.A = [2]*array{ar, ar}
	add("array of pointers to itself", ar)
	var long, widening *ring
	for range 2_000_000 {
		long = &ring{Next: long}
	}
	add("2 million nodes", long)
	for range 14 { // 2¹⁴ paths: a value with as many parts as memory has bytes is another question
		widening = &ring{Ps: []*ring{widening, widening}}
	}
	add("2 to the 14th paths", widening)
	var deep any
	for range 1_000_000 {
		deep = []any{deep}
	}
	add("a million levels of lists", deep)
	deep = nil
	for range 1_000_000 {
		deep = map[string]any{"a": deep}
	}
	add("a million levels of maps", deep)
	deep = nil
	for range 1_000_000 {
		deep = &deep2{deep}
	}
	add("a million levels of structs in anys", deep)
	deep = nil
	for range 1_000_000 {
		d := deep
		deep = &d
	}
	add("a million pointers to anys", deep)
	st, sp := &selfishText{}, &selfishPack{}
	st.N = st
	sp.N = sp
	add("methods of msgpack that go in a circle", sp)
	st.N = nil
	add("methods of json", st)
	add("methods that panic", panics{1})
	add("methods that panic, in an any", []any{&panics{1}})
	add("methods that panic, as keys", map[panics]int{{1}: 1})
	add("nil error embedded", noError{})
	add("nil error embedded, in an any", []any{noError{}})
	for _, v := range []any{nil, (*int)(nil), (**ring)(nil), []int(nil), map[string]int(nil), (*time.Time)(nil), (*big.Int)(nil), (*url.URL)(nil), (error)(nil),
		(func())(nil), (chan int)(nil), (*panics)(nil), (*selfishText)(nil), (*selfishPack)(nil), unsafe.Pointer(nil), []any{nil, (*int)(nil), []any(nil)}} {
		add(fmt.Sprintf("nil %T", v), v)
	}
	for _, v := range []any{func() {}, make(chan int), 1i, uintptr(1), unsafe.Pointer(new(int)), struct{ F func() }{func() {}}, map[string]chan int{"c": make(chan int)},
		&sync.Mutex{}, errors.New("e"), map[any]int{1i: 1}, map[any]int{[1]any{1}: 1}, reflect.ValueOf(1), reflect.TypeFor[int](), new(bytes.Buffer), big.NewFloat(math.Inf(1))} {
		add(fmt.Sprintf("%T", v), v)
		add(fmt.Sprintf("%T in a list", v), []any{v})
	}
	add("no numbers as keys", map[float64]int{math.NaN(): 1, math.NaN(): 2, math.Inf(1): 3})
	add("no numbers in keys", map[any]int{math.NaN(): 1, [1]float64{math.NaN()}: 2, [1]float32{float32(math.NaN())}: 2})
	large := make(map[int]int)
	for i := range 300_000 {
		large[i] = i
	}
	add("a large map", large)
	add("20 MB of text", strings.Repeat("é", 10<<20))
	add("20 MB of bytes", make([]byte, 20<<20))
	add("a thousand times nothing", make([]struct{}, 1000))
	add("a number of a million bits", new(big.Int).Lsh(big.NewInt(1), 1_000_000))
	add("no JSON", json.RawMessage(strings.Repeat("[", 5_000_000)))
	add("JSON without an end", []json.RawMessage{json.RawMessage(strings.Repeat(`{"a":`, 2_000_000))})
	add("no MessagePack", msgpack.RawMessage(bytes.Repeat([]byte{0x91}, 5_000_000)))
	add("MessagePack that lies", msgpack.RawMessage{0xdd, 0xff, 0xff, 0xff, 0xff})
	add("a year far away", time.Unix(math.MaxInt64, 0))
	add("a year far away, in UTC", time.Unix(math.MinInt64, 0).UTC())
	return all
}

type deep2 struct{ V any }

// shared is a type that has parts in common, without being recursive.
type (
	shared struct {
		A, B *shared2
		T    []string
	}
	shared2 struct{ A, B, C, D, E, F, G, H *shared3 }
	shared3 struct{ A, B, C, D, E, F, G, H *shared4 }
	shared4 struct{ A, B, C, D, E, F, G, H *shared5 }
	shared5 struct{ A, B, C, D, E, F, G, H *shared6 }
	shared6 struct{ A, B, C, D, E, F, G, H *shared7 }
	shared7 struct{ A, B, C, D, E, F, G, H []byte }
)

// endless are values that are small in memory, and whose encoding is larger than any memory:
// there are 2 to the 40th ways, or more, to some part of them.
func endless() (all []monster) {
	add := func(name string, v any) { all = append(all, monster{name, v}) }
	r, k, m := &ring{}, ring{}, map[string]ring{}
	s, t := slices{}, tables{}
	ar := &array{}
	var list, object, held, omitted, pointers any = 1, "a", "b", deep3{}, nil
	for range 45 {
		r = &ring{Next: r, Ps: []*ring{r}}
		k = ring{Kids: []ring{k, k}}
		m = map[string]ring{"a": {M: m}, "b": {M: m}}
		s, t = slices{s, s}, tables{"a": t, "b": t}
		ar = &array{[2]*array{ar, ar}}
		list, object = []any{list, list}, map[string]any{"a": object, "b": object}
		held, omitted = []any{&deep2{held}, deep2{held}}, deep3{omitted, omitted}
		p := pointers
		pointers = []any{&p, &p}
	}
	add("pointers", r)
	add("structs", k)
	add("maps of structs", ring{M: m})
	add("slices", s)
	add("tables", t)
	add("arrays", ar)
	add("lists", list)
	add("objects", object)
	add("pointers to anys", pointers)
	add("structs in anys", held)
	add("empty structs in anys", omitted)
	text := strings.Repeat("0123456789abcdef", 100_000)
	texts, keys, blobs := make([]string, 100_000), make(map[string]string), make([]any, 100_000)
	for i := range texts {
		texts[i], keys[text[:i]], blobs[i] = text, text, []byte(text[:100])
	}
	add("one text", texts)
	add("one text in a map", keys)
	add("one blob in a list", append(blobs, blobs, []any{blobs, blobs}))
	s7 := &shared7{[]byte(text), []byte(text), nil, nil, nil, nil, nil, nil}
	s6 := &shared6{s7, s7, s7, s7, s7, s7, s7, s7}
	s5 := &shared5{s6, s6, s6, s6, s6, s6, s6, s6}
	s4 := &shared4{s5, s5, s5, s5, s5, s5, s5, s5}
	s3 := &shared3{s4, s4, s4, s4, s4, s4, s4, s4}
	s2 := &shared2{s3, s3, s3, s3, s3, s3, s3, s3}
	add("structs that are not recursive", &shared{A: s2, B: s2})
	add("50 million times nothing", make([]struct{}, 50_000_000))
	add("a billion times nothing", new([1 << 30]struct{}))
	return all
}

type deep3 struct {
	A any `msgpack:",omitempty"`
	B any `msgpack:",omitempty"`
}

// overwhelm sends v by Conns, by Groups, and by codecs of T and of any.
func overwhelm(m monster, report func(codec, result string)) {
	sendBy(qsocket.Msgpack[any](), "msgpack any", m.v, report)
	sendBy(qsocket.JSON[any](), "json any", m.v, report)
	sendBy(qsocket.Gob[any](), "gob any", m.v, report)
	switch v := m.v.(type) {
	case *ring:
		sendAll(v, report)
	case ring:
		sendAll(v, report)
	case slices:
		sendAll(v, report)
	case tables:
		sendAll(v, report)
	case *array:
		sendAll(v, report)
	case []string:
		sendAll(v, report)
	case map[string]string:
		sendAll(v, report)
	case *shared:
		sendAll(v, report)
	case []struct{}:
		sendAll(v, report)
	case *[1 << 30]struct{}:
		sendAll(v, report)
	}
}

func sendAll[T any](v T, report func(codec, result string)) {
	sendBy(qsocket.Msgpack[T](), "msgpack", v, report)
	sendBy(qsocket.JSON[T](), "json", v, report)
	sendBy(qsocket.Gob[T](), "gob", v, report)
	u := qsocket.Union(qsocket.Case[any](1, qsocket.Msgpack[T]()), qsocket.Case[any](2, qsocket.Gob[ring2]()))
	sendBy(u, "union", any(v), report)
}

type ring2 ring

// sendBy reports whether v is refused, by a Conn that goes on to work.
func sendBy[T any](c qsocket.Codec[T], name string, v T, report func(codec, result string)) {
	p := qsocket.Protocol[T]{Codec: c}
	a, b, err := qsocket.Pipe(p, &qsocket.Options{CloseTimeout: time.Second})
	if err != nil {
		report(name, fmt.Sprintf("refused: %.150v", err))
		return
	}
	defer func() { _, _ = a.Close(), b.Close() }()
	g := qsocket.NewGroup(p, qsocket.Drop)
	g.Add(a)
	err = a.Send(context.Background(), v)
	if err == nil {
		report(name, "LOST: accepted")
		return
	}
	if n, _ := g.Broadcast(context.Background(), v); n > 0 {
		report(name, "LOST: accepted by a Group")
		return
	}
	if a.Err() != nil {
		report(name, fmt.Sprintf("LOST: the Conn has ended: %v", a.Err()))
		return
	}
	report(name, fmt.Sprintf("refused: %.150v", err))
}

type monster struct {
	name string
	v    any
}

// attack sends v by a codec of T and of any, and receives what is accepted.
func attack(m monster, report func(codec, result string)) {
	through(qsocket.Msgpack[any](), "msgpack any", m.v, report)
	through(qsocket.Msgpack[any](qsocket.ArrayEncodedStructs(), qsocket.AllowInvalidUTF8()), "msgpack any, arrays", m.v, report)
	through(qsocket.JSON[any](), "json any", m.v, report)
	through(qsocket.Gob[any](), "gob any", m.v, report)
	through(qsocket.Union(qsocket.Case[any](1, qsocket.Msgpack[*ring]()), qsocket.Case[any](2, qsocket.Gob[ring]()), qsocket.Case[any](3, qsocket.JSON[slices]()), qsocket.Case[any](4, qsocket.Binary[*selfishBinary]())), "union", m.v, report)
	switch v := m.v.(type) {
	case *ring:
		typed(v, report)
	case ring:
		typed(v, report)
	case slices:
		typed(v, report)
	case tables:
		typed(v, report)
	case *array:
		typed(v, report)
	case anyLoop:
		typed(v, report)
	case loop:
		typed(v, report)
	case *selfishPack:
		typed(v, report)
	case *selfishText:
		typed(v, report)
	case panics:
		typed(v, report)
		through(qsocket.Binary[panics](), "binary", v, report)
	case map[panics]int:
		typed(v, report)
	case map[float64]int:
		typed(v, report)
	case map[int]int:
		typed(v, report)
	case string:
		typed(v, report)
	case []struct{}:
		typed(v, report)
	case json.RawMessage:
		typed(v, report)
	case msgpack.RawMessage:
		typed(v, report)
	case time.Time:
		typed(v, report)
	}
}

func typed[T any](v T, report func(codec, result string)) {
	through(qsocket.Msgpack[T](), "msgpack", v, report)
	through(qsocket.JSON[T](), "json", v, report)
	through(qsocket.Gob[T](), "gob", v, report)
}

func through[T any](c qsocket.Codec[T], name string, v T, report func(codec, result string)) {
	p, _, err := protect(func() ([]byte, error) { return c.NewEncoder().Append(nil, v) })
	if err != nil {
		report(name, fmt.Sprintf("refused: %.150v", err))
		return
	}
	if _, _, err := protect(func() (T, error) { return c.NewDecoder().Decode(p) }); err != nil {
		report(name, fmt.Sprintf("LOST: accepted, and then %.150v", err))
		return
	}
	report(name, fmt.Sprintf("arrives, %d bytes", len(p)))
}

func (s *selfishBinary) MarshalBinary() ([]byte, error) { return []byte{1}, nil }
func (s *selfishBinary) UnmarshalBinary([]byte) error   { return nil }

// No value that a program can build ends its process, and none that is accepted is refused by
// the receiver: tried in a process with little memory, which has to come to its end.
func TestNoValueEndsTheProcess(t *testing.T) {
	if os.Getenv("QSOCKET_MONSTERS") != "" {
		for _, v := range []any{deep3{}, shared{}, [1 << 30]struct{}{}, []string{}, map[string]string{}, ring{}, slices{}, tables{}, map[any]any{}, deep2{}, array{}, selfishPack{}, selfishText{}, panics{}, map[float64]int{}, map[int]int{}, []struct{}{}, []any{}, map[string]any{}} {
			gob.Register(v)
		}
		all := monsters()
		if err := limitSpace(3 << 30); err != nil {
			t.Fatal(err)
		}
		for _, m := range all {
			attack(m, func(codec, result string) { fmt.Printf("case %s by %s: %s\n", m.name, codec, result) })
		}
		for _, m := range endless() {
			overwhelm(m, func(codec, result string) { fmt.Printf("case endless %s by %s: %s\n", m.name, codec, result) })
		}
		fmt.Printf("all %d are over\n", len(all))
		return
	}
	if testing.Short() || testkit.RaceEnabled {
		t.Skip("takes gigabytes, and several times as much under the race detector")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestNoValueEndsTheProcess$", "-test.timeout=8m")
	cmd.Env = append(os.Environ(), "QSOCKET_MONSTERS=1", "GODEBUG=", "GOTRACEBACK=single")
	out, err := cmd.CombinedOutput()
	lines := strings.Split(string(out), "\n")
	cases, refused := 0, 0
	for _, line := range lines {
		if strings.HasPrefix(line, "case ") {
			cases++
			if strings.Contains(line, ": refused: ") {
				refused++
			}
			if strings.Contains(line, ": LOST: ") {
				t.Error(line)
			}
			if testing.Verbose() {
				t.Log(line)
			}
		}
	}
	if err != nil || !strings.Contains(string(out), "are over\n") {
		t.Fatalf("the process has ended: %v\n%s", err, tail(out, 3000))
	}
	t.Logf("%d values by codecs, %d refused", cases, refused)
}
