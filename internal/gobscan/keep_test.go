package gobscan_test

import (
	"encoding/gob"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/gobscan"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

type (
	small struct{ A int }
	far   struct{ *Far }
	loose struct {
		A     int
		Any   any
		Texts []string
		By    map[string][]small
		Next  *loose
	}
)

// stage is a stream whose payload number k is payload(k).
type stage struct {
	name    string
	t       reflect.Type
	payload func(w *writer, k int) []byte
}

// hoards are streams that make a receiver keep as much as it lets them.
var hoards = []stage{
	{"types that nothing needs", reflect.TypeFor[small](), func(w *writer, k int) []byte {
		w.structure("", wireField{"X", 2})
		return w.small(k)
	}},
	{"structs without fields", reflect.TypeFor[small](), func(w *writer, k int) []byte {
		w.structure("")
		return w.small(k)
	}},
	{"opaque types", reflect.TypeFor[small](), func(w *writer, k int) []byte {
		w.define(wireGobEncoder, "")
		return w.small(k)
	}},
	{"types with long names", reflect.TypeFor[small](), func(w *writer, k int) []byte {
		w.define(wireSlice, strings.Repeat("n", 3000), 2)
		return w.small(k)
	}},
	{"a type with a longer name each time", reflect.TypeFor[small](), func(w *writer, k int) []byte {
		w.define(wireSlice, strings.Repeat("n", 1<<k), 2)
		return w.small(k)
	}},
	{"a type with more fields each time", reflect.TypeFor[small](), func(w *writer, k int) []byte {
		w.structure("", w.fields(1<<k, 3)...)
		return w.small(k)
	}},
	{"fields with long names", reflect.TypeFor[small](), func(w *writer, k int) []byte {
		w.structure("", wireField{strings.Repeat("X", 1000), 2}, wireField{strings.Repeat("Y", 1000), 2})
		return w.small(k)
	}},
	{"the same Go type from many types", reflect.TypeFor[small](), func(w *writer, k int) []byte {
		return w.payload(w.structure("", wireField{"A", 2}), 0)
	}},
	{"the same field again and again", reflect.TypeFor[small](), func(w *writer, k int) []byte {
		return w.payload(w.structure("", repeated(200, wireField{"A", 2})...), 0)
	}},
	{"fields behind an embedded pointer", reflect.TypeFor[far](), func(w *writer, k int) []byte {
		return w.payload(w.structure("", repeated(20, wireField{"Deep", 2})...), 0)
	}},
	{"one field behind an embedded pointer", reflect.TypeFor[far](), func(w *writer, k int) []byte {
		return w.payload(w.structure("", wireField{"Deep", 2}), 0)
	}},
	{"skipped fields of new types", reflect.TypeFor[small](), func(w *writer, k int) []byte {
		in := w.structure("", w.fields(8, 12)...)
		return w.payload(w.structure("", wireField{"A", 2}, wireField{"X", in}), 0)
	}},
	{"skipped chains of slices", reflect.TypeFor[small](), func(w *writer, k int) []byte {
		id := 2
		for range 20 {
			id = w.define(wireSlice, "", id)
		}
		return w.payload(w.structure("", wireField{"A", 2}, wireField{"X", id}), 0)
	}},
	{"skipped maps of maps", reflect.TypeFor[small](), func(w *writer, k int) []byte {
		id := 2
		for range 20 {
			id = w.define(wireMap, "", id, id)
		}
		return w.payload(w.structure("", wireField{"A", 2}, wireField{"X", id}), 0)
	}},
	{"skipped arrays", reflect.TypeFor[small](), func(w *writer, k int) []byte {
		id := 2
		for range 20 {
			id = w.define(wireArray, "", id, 1)
		}
		return w.payload(w.structure("", wireField{"A", 2}, wireField{"X", id}), 0)
	}},
	{"skipped structs in structs", reflect.TypeFor[small](), func(w *writer, k int) []byte {
		id := 2
		for range 20 {
			id = w.structure("", wireField{"X", id})
		}
		return w.payload(w.structure("", wireField{"A", 2}, wireField{"X", id}), 0)
	}},
	{"all of a large type, anew", reflect.TypeFor[everything](), func(w *writer, k int) []byte {
		return w.payload(w.like(reflect.TypeFor[everything](), 0, 5, map[reflect.Type]int{}), 0)
	}},
	{"registered types, anew", reflect.TypeFor[any](), func(w *writer, k int) []byte {
		return w.boxed(registered[3].name, w.like(registered[3].t, 0, 5, map[reflect.Type]int{}), 0)
	}},
	{"slices in interfaces, anew", reflect.TypeFor[any](), func(w *writer, k int) []byte {
		return w.boxed("[]string", w.define(wireSlice, "", 6), 0, 0)
	}},
	{"all registered types", reflect.TypeFor[any](), func(w *writer, k int) []byte {
		r := registered[k%len(registered)]
		return w.boxed(r.name, w.like(r.t, 0, 5, map[reflect.Type]int{}), w.zero(r.t)...)
	}},
	{"definitions in interfaces that are skipped", reflect.TypeFor[small](), func(w *writer, k int) []byte {
		if k == 0 {
			w.structure("", wireField{"A", 2}, wireField{"X", 8})
		}
		defs := w.defs
		w.defs = nil
		w.structure("", w.fields(3, 12)...)
		inner := w.defs
		if inner[0] > 0x7f {
			inner = inner[1:]
		}
		w.defs = defs
		value := append([]byte{2, 1, 'x'}, inner[1:]...)
		return w.payload(65, append(append(value, 0), 4, 1, 0, 0)...)
	}},
	{"a long message", reflect.TypeFor[loose](), func(w *writer, k int) []byte {
		if k == 0 {
			w.structure("", wireField{"A", 2}, wireField{"Any", 8})
		}
		text := strings.Repeat("t", 1<<20)
		value := append([]byte{2, 6}, "string"...)
		value = append(testkit.AppendGobUint(append(value, 12, 0, 0), uint64(len(text))), text...)
		return w.payload(65, append(value, 0)...)
	}},
	{"many interfaces", reflect.TypeFor[[]any](), func(w *writer, k int) []byte {
		if k == 0 {
			w.define(wireSlice, "", 8)
		}
		n := 100_000
		return w.payload(65, append(testkit.AppendGobUint([]byte{0}, uint64(n)), make([]byte, n)...)...)
	}},
	{"deep", reflect.TypeFor[any](), func(w *writer, k int) []byte {
		if k == 0 {
			w.define(wireSlice, "", 8)
		}
		var value []byte
		for range 99 {
			value = append(append(value, 14), "[]interface {}"...)
			value = append(testkit.AppendGobInt(value, 65), 0, 0, 1)
		}
		return w.payload(8, append(append([]byte{0}, value...), 0)...)
	}},
	{"short strings", reflect.TypeFor[[]string](), func(w *writer, k int) []byte {
		if k == 0 {
			w.define(wireSlice, "", 6)
		}
		value := testkit.AppendGobUint([]byte{0}, 1000)
		for i := range 1000 {
			value = append(append(value, 31), fmt.Sprintf("%-31d", i%50)...)
		}
		return w.payload(65, value...)
	}},
}

// small is a value for a small.
func (w *writer) small(k int) []byte {
	if k == 0 {
		w.structure("", wireField{"A", 2})
		w.first = w.last
	}
	return w.payload(w.first, 1, 2, 0)
}

// zero is a value of type t, as boxed takes it.
func (w *writer) zero(t reflect.Type) []byte {
	switch {
	case behind(t).Kind() == reflect.Struct && behind(t).String() != "time.Time":
		return []byte{0}
	case t.Kind() == reflect.Array:
		return append([]byte{0, byte(t.Len())}, make([]byte, t.Len())...)
	}
	return []byte{0, 0}
}

func repeated(n int, f wireField) (fields []wireField) {
	for range n {
		fields = append(fields, f)
	}
	return fields
}

// registered are some of the types that are registered in this process.
var registered = []struct {
	name string
	t    reflect.Type
}{
	{"int", reflect.TypeFor[int]()}, {"string", reflect.TypeFor[string]()}, {"[]string", reflect.TypeFor[[]string]()},
	{"github.com/fb9bb4ed/qsocket/internal/gobscan_test.order", reflect.TypeFor[order]()},
	{"github.com/fb9bb4ed/qsocket/internal/gobscan_test.wide", reflect.TypeFor[wide]()},
	{"github.com/fb9bb4ed/qsocket/internal/gobscan_test.tree", reflect.TypeFor[tree]()},
	{"map[string]interface {}", reflect.TypeFor[map[string]any]()}, {"[]interface {}", reflect.TypeFor[[]any]()},
	{"map[string][]int", reflect.TypeFor[map[string][]int]()},
}

// decoders is over how many streams memory is averaged.
const decoders = 20

// Whatever a stream defines, what is kept between its payloads is bounded, and so is what
// is estimated for it: from above, and not many times as much.
func TestKept(t *testing.T) {
	for _, h := range hoards {
		t.Run(h.name, func(t *testing.T) {
			keptBy(t, h, 1)
		})
	}
}

// The same for streams at random.
func TestKeptRandom(t *testing.T) {
	seeds := uint64(40)
	if testing.Short() {
		seeds = 5
	}
	for seed := range seeds {
		h := randomHoard(seed)
		t.Run(h.name, func(t *testing.T) { keptBy(t, h, seed) })
	}
}

// FuzzKept is TestKeptRandom without a measurement, and so for many streams.
func FuzzKept(f *testing.F) {
	for seed := range uint64(30) {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, kind, seed uint64) {
		h := randomHoard(kind)
		w := newWriter(seed)
		s := newStream(h.t)
		for k := range 1000 {
			_, err := s.decode(h.payload(w, k))
			weigh(t, s.scan)
			if err != nil {
				break
			}
			if kept, limit := s.scan.Kept(); kept > limit {
				t.Fatalf("payload %d: %d bytes are kept, want at most %d", k, kept, limit)
			}
		}
	})
}

// structs returns n struct types, each of a number of fields.
func structs(n, fields int, name string) (types []reflect.StructField) {
	for i := range n {
		var in []reflect.StructField
		for k := range fields {
			t := []reflect.Type{reflect.TypeFor[int](), reflect.TypeFor[string](), reflect.TypeFor[[]string](), reflect.TypeFor[float64]()}[k%4]
			in = append(in, reflect.StructField{Name: fmt.Sprintf("Field%d_%d", i, k), Type: t})
		}
		types = append(types, reflect.StructField{Name: fmt.Sprintf("%s%d", name, i), Type: reflect.StructOf(in)})
	}
	return types
}

// Types that only the sender has are fine in such numbers, besides those of the receiver.
func TestKeptOfNewerPeers(t *testing.T) {
	a := reflect.StructField{Name: "A", Type: reflect.TypeFor[int]()}
	for _, tt := range []struct {
		name     string
		receiver []reflect.StructField
		sender   []reflect.StructField
		ok       bool
	}{
		{"60 more types of 8 fields", nil, structs(60, 8, "New"), true},
		{"250 more types of 8 fields", nil, structs(250, 8, "New"), false},
		{"400 types of 10 fields", structs(400, 10, "Old"), nil, true},
		{"as many again", structs(400, 10, "Old"), structs(400, 10, "New"), true},
		{"four times as many", structs(400, 10, "Old"), structs(1600, 10, "New"), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			receiver := reflect.StructOf(append([]reflect.StructField{a}, tt.receiver...))
			sender := reflect.StructOf(append(append([]reflect.StructField{a}, tt.receiver...), tt.sender...))
			payloads := encode(t, reflect.New(sender).Interface(), reflect.New(sender).Interface())
			streams := make([]*stream, decoders)
			before := heap()
			for i := range streams {
				streams[i] = newStream(receiver)
				for k, p := range payloads {
					if _, err := streams[i].decode(p); tt.ok && err != nil {
						t.Fatalf("payload %d: %v", k, err)
					} else if !tt.ok && (err == nil || k == 0 && !strings.Contains(err.Error(), "to keep")) {
						t.Fatalf("payload %d: got %v, want an error", k, err)
					}
				}
			}
			kept := (heap() - before) / decoders
			estimate, limit := streams[0].scan.Kept()
			t.Logf("%d bytes kept, estimate %d, limit %d", kept, estimate, limit)
			if kept > int64(limit) {
				t.Errorf("%d bytes are kept, want at most %d", kept, limit)
			}
			runtime.KeepAlive(streams)
		})
	}
}

// Registered types are needed where an interface has held them.
func TestKeptOfRegisteredTypes(t *testing.T) {
	s := newStream(reflect.TypeFor[any]())
	w := newWriter(1)
	for i, f := range structs(200, 10, "Registered") {
		v := reflect.New(f.Type).Elem()
		gob.RegisterName(f.Name, v.Interface())
		p := w.boxed(f.Name, w.like(f.Type, 0, 5, map[reflect.Type]int{}), 0)
		if _, err := s.decode(p); err != nil {
			t.Fatalf("type %d: %v", i, err)
		}
		weigh(t, s.scan)
	}
	kept, limit := s.scan.Kept()
	if kept <= gobscan.MaxKept {
		t.Fatalf("%d bytes are kept, want more: the test says nothing", kept)
	}
	if kept > (limit+gobscan.KeptAlways)/gobscan.MaxNeeds {
		t.Errorf("%d bytes are kept, the types need %d", kept, limit/gobscan.MaxNeeds)
	}
}

// randomHoard returns a stream of definitions of which some can be decoded into the type.
func randomHoard(seed uint64) stage {
	r := rand.New(rand.NewPCG(seed, 3))
	types := []reflect.Type{
		reflect.TypeFor[small](), reflect.TypeFor[loose](), reflect.TypeFor[everything](), reflect.TypeFor[any](),
		reflect.TypeFor[blobOrder](), reflect.TypeFor[tree](), reflect.TypeFor[map[string][]order](), reflect.TypeFor[far](),
	}
	typ := types[r.IntN(len(types))]
	unused, extra, fields, name := r.IntN(6), r.IntN(30), 1+r.IntN(60), []int{5, 40, 2000}[r.IntN(3)]
	known := map[reflect.Type]int{}
	return stage{fmt.Sprintf("seed %d, %v", seed, typ), typ, func(w *writer, k int) []byte {
		for range w.r.IntN(unused + 1) {
			w.any(fields, name)
		}
		if w.r.IntN(3) > 0 {
			clear(known)
		}
		if typ.Kind() == reflect.Interface {
			reg := registered[w.r.IntN(len(registered))]
			return w.boxed(reg.name, w.like(reg.t, extra, name, known), w.zero(reg.t)...)
		}
		value := []byte{0}
		if typ.Kind() != reflect.Struct {
			value = []byte{0, 0}
		}
		return w.payload(w.like(typ, extra, name, known), value...)
	}}
}

// keptBy measures what is kept after as much of h as is accepted, and after the payload
// that is refused.
func keptBy(t *testing.T, h stage, seed uint64) {
	w := newWriter(seed)
	var payloads [][]byte
	trial := newStream(h.t)
	var refused error
	var spent, allowed uint64
	for still, last := 0, uint64(0); refused == nil && still < 20; still++ { // as long as it grows
		if kept, _ := trial.scan.Kept(); kept > last {
			still, last = 0, kept
		}
		p := h.payload(w, len(payloads))
		payloads = append(payloads, p)
		allowed += uint64(gobscan.MaxExpansion*len(p) + gobscan.Slack)
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		was := m.TotalAlloc
		if _, refused = trial.decode(p); refused != nil && !strings.Contains(refused.Error(), "to keep") &&
			!strings.Contains(refused.Error(), "would allocate") && !strings.Contains(refused.Error(), "no fields matched") {
			t.Fatalf("payload %d: %v", len(payloads)-1, refused)
		}
		runtime.ReadMemStats(&m)
		if spent += m.TotalAlloc - was; spent > allowed+others {
			t.Fatalf("payload %d: %d bytes allocated so far, want at most %d", len(payloads)-1, spent, allowed)
		}
		weigh(t, trial.scan)
	}
	streams := make([]*stream, decoders)
	before := heap()
	for i := range streams {
		streams[i] = newStream(h.t)
		for k, p := range payloads {
			if _, err := streams[i].decode(p); err != nil && k < len(payloads)-1 {
				t.Fatalf("payload %d: %v", k, err)
			}
		}
	}
	kept := (heap() - before) / decoders
	estimate, limit := streams[0].scan.Kept()
	t.Logf("%d payloads, %d bytes kept, estimate %d, limit %d: %v", len(payloads), kept, estimate, limit, refused)
	if kept > int64(limit) {
		t.Errorf("%d bytes are kept, want at most %d", kept, limit)
	}
	if kept > int64(estimate)+256 {
		t.Errorf("%d bytes are kept, the estimate is %d", kept, estimate)
	}
	if most := 3*kept + int64(gobscan.KeptAlways); int64(estimate) > most && refused == nil {
		t.Errorf("%d bytes are kept, the estimate is %d: too many", kept, estimate)
	}
	runtime.KeepAlive(streams)
	runtime.KeepAlive(payloads)
}

// weigh compares the estimate of what s keeps with what can be reached from it.
func weigh(t *testing.T, s *gobscan.Scanner) {
	t.Helper()
	if estimate, _ := s.Kept(); s.Weight() > estimate {
		t.Fatalf("%d bytes are kept, the estimate is %d", s.Weight(), estimate)
	}
}

func heap() int64 {
	var m runtime.MemStats
	for range 2 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
