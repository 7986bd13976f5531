package gobscan_test

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"math/rand/v2"
	"net/netip"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Streams of random types, from a sender whose types are older or newer than those of the
// receiver, are decoded as gob decodes them: to the same values, with errors where it has
// them. Of some, a byte is another than the sender's: what is decoded nevertheless is what
// gob makes of it.
func TestDecodeRandom(t *testing.T) {
	const seeds = 1500
	var sum tally
	for seed := range uint64(seeds) {
		sum.add(decodeRandom(t, seed))
		if t.Failed() {
			return
		}
	}
	t.Logf("%+v", sum)
	// If most streams end with an error, the test says little.
	if sum.values < 2*seeds || sum.refused < seeds/10 || sum.boxed < seeds/20 || sum.torn > seeds/100 {
		t.Errorf("got %+v, want more", sum)
	}
}

// FuzzDecodeRandom is TestDecodeRandom for other seeds.
func FuzzDecodeRandom(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { decodeRandom(t, seed) })
}

// tally counts what random streams came to.
type tally struct {
	values  int // decoded by both
	refused int // by both
	boxed   int // of the values, with an interface whose type is of the sender's version
	strict  int // refused, though gob decodes it: for reasons that are documented
	lost    int // gob has lost the stream without an error
	torn    int // refused, because it ends too early for the receiver's types
	unsent  int // gob does not encode it
	damaged int // refused, because a byte is wrong
}

func (t *tally) add(u tally) {
	t.values += u.values
	t.refused += u.refused
	t.boxed += u.boxed
	t.strict += u.strict
	t.lost += u.lost
	t.torn += u.torn
	t.unsent += u.unsent
	t.damaged += u.damaged
}

// documented are the errors for what gob decodes, see the documentation of Gob.
var documented = []string{"would allocate", "at once, found", "to keep, found", "nested deeper", "which gob cannot skip"}

func decodeRandom(t *testing.T, seed uint64) (sum tally) {
	r := &random{Rand: rand.New(rand.NewPCG(seed, 11)), seed: seed}
	to := r.typ(3)
	r.box(r.version(to, 4))
	if r.IntN(4) == 0 {
		to = []reflect.Type{reflect.TypeFor[any](), reflect.TypeFor[[]any](), reflect.TypeFor[struct{ F0 any }]()}[r.IntN(3)]
	}
	from := []reflect.Type{r.version(to, 4), to}
	if r.IntN(3) == 0 {
		from = append(from, r.version(to, 4))
	}
	switch r.IntN(6) {
	case 0:
		to = reflect.PointerTo(to)
	case 1:
		to = reflect.PointerTo(reflect.PointerTo(to))
	}

	var wire bytes.Buffer
	var enc *gob.Encoder
	var dec *gob.Decoder
	var plain bytes.Buffer
	ours := newStream(to)
	var got, want []reflect.Value
	for k := range 6 {
		if enc == nil {
			plain.Reset()
			enc, dec = gob.NewEncoder(&wire), gob.NewDecoder(&plain)
			ours.scan.Reset()
		}
		v := reflect.New(from[r.IntN(len(from))])
		top := v.Elem()
		for ; top.Kind() == reflect.Pointer; top = top.Elem() { // for nil, gob writes no value
			top.Set(reflect.New(top.Type().Elem()))
		}
		r.fill(top, 4)
		wire.Reset()
		if protect(func() error { return enc.EncodeValue(v) }) != nil {
			enc = nil
			sum.unsent++
			continue
		}
		p := bytes.Clone(wire.Bytes())
		boxed := r.from != "" && bytes.Contains(p, []byte(r.from))
		if boxed {
			p = bytes.ReplaceAll(p, []byte(r.from), []byte(r.to))
		}
		damaged := r.IntN(12) == 0
		if damaged {
			p[r.IntN(len(p))] = []byte{0, 1, 2, 255, byte(r.Uint64())}[r.IntN(5)]
		}
		plain.Write(p)
		a, b := reflect.New(to), reflect.New(to)
		err := protect(func() error {
			if err := ours.scan.Scan(p); err != nil {
				return err
			}
			return ours.scan.Decode(p, b)
		})
		if damaged && err != nil {
			sum.damaged++
			enc = nil
			continue
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			// gob decodes fields of one Go type alike, though the sender has several. What it
			// makes of that can be right by accident, or a map with room for what is no count.
			sum.torn++
			enc = nil
			continue
		}
		plainErr := protect(func() error { return dec.DecodeValue(a) })
		where := func() string {
			return fmt.Sprintf("seed %d, payload %d, %v into %v, %x", seed, k, v.Type().Elem(), to, p)
		}
		switch {
		case plain.Len() > 0 && plainErr == nil || err != nil && strings.Contains(err.Error(), "trailing bytes"):
			// gob gets lost in interfaces that the receiver has no field for, if what is in
			// them brings definitions. It does not always notice.
			sum.lost++
			if err == nil {
				t.Fatalf("%s: got %v, gob has lost the stream", where(), b.Elem())
			}
		case plainErr == nil && err != nil:
			sum.strict++
			// In slices of int and uint of 32 bits, gob cuts off what does not fit.
			if !contains(err, documented) && (strconv.IntSize == 64 || !contains(err, []string{"out of range"})) {
				t.Fatalf("%s: got %v, gob %+v", where(), err, a.Elem())
			}
		case plainErr != nil && err == nil:
			t.Fatalf("%s: got %+v, gob: %v", where(), b.Elem(), plainErr)
		case err != nil:
			sum.refused++
			if errors.Is(err, io.EOF) {
				t.Fatalf("%s: got %v, want no io.EOF", where(), err)
			}
		default:
			sum.values++
			if boxed {
				sum.boxed++
			}
			if !equal(a.Elem(), b.Elem()) {
				t.Fatalf("%s: got %+v\nwant %+v", where(), b.Elem(), a.Elem())
			}
			weigh(t, ours.scan)
			got, want = append(got, b.Elem()), append(want, a.Elem())
			clear(p)
			continue
		}
		enc = nil // both have lost the stream
	}
	for i := range got { // nothing of them was in the payloads, or in other values
		if !equal(got[i], want[i]) {
			t.Fatalf("seed %d: value %d has changed to %+v\nwant %+v", seed, i, got[i], want[i])
		}
	}
	return sum
}

func contains(err error, texts []string) bool {
	for _, s := range texts {
		if strings.Contains(err.Error(), s) {
			return true
		}
	}
	return false
}

// protect makes an error of a panic.
func protect(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return f()
}

// random makes types and values of them.
type random struct {
	*rand.Rand
	seed  uint64
	types []reflect.Type // made before, to be used again

	// A type that interfaces can hold, and its names on both ends.
	boxed    reflect.Type
	from, to string
}

// box registers t under one name, and another version of it under one of the same length.
func (r *random) box(t reflect.Type) {
	if t.Kind() == reflect.Interface {
		return
	}
	from, to := fmt.Sprintf("sender-%09d", r.seed), fmt.Sprintf("receiv-%09d", r.seed)
	if r.seed > 999999999 {
		return
	}
	// It panics if one of the types has a name already.
	if protect(func() error { gob.RegisterName(from, reflect.Zero(t).Interface()); return nil }) != nil {
		return
	}
	if protect(func() error { gob.RegisterName(to, reflect.Zero(r.version(t, 3)).Interface()); return nil }) != nil {
		to = from
	}
	r.boxed, r.from, r.to = t, from, to
}

// typ returns a type of so many levels at most.
func (r *random) typ(deep int) (t reflect.Type) {
	if len(r.types) > 0 && r.IntN(4) == 0 {
		return r.types[r.IntN(len(r.types))]
	}
	defer func() { r.types = append(r.types, t) }()
	n := r.IntN(12)
	switch {
	case deep <= 0 && n > 4 || n <= 1:
		return plainTypes[r.IntN(len(plainTypes))]
	case n <= 4:
		return named[r.IntN(len(named))]
	case n == 5:
		return reflect.SliceOf(r.typ(deep - 1))
	case n == 6:
		return reflect.ArrayOf([]int{0, 1, 2, 3, 40}[r.IntN(5)], r.typ(deep-1))
	case n == 7:
		key := r.typ(deep - 1)
		for !key.Comparable() {
			key = r.typ(0)
		}
		return reflect.MapOf(key, r.typ(deep-1))
	case n == 8:
		return reflect.PointerTo(r.typ(deep - 1))
	}
	var fields []reflect.StructField
	for i := range 1 + r.IntN(6) {
		fields = append(fields, reflect.StructField{Name: fmt.Sprintf("F%d", i), Type: r.typ(deep - 1)})
	}
	return reflect.StructOf(fields)
}

// version returns another version of t, down to so many levels: most of it is the same,
// something has been added, something is gone, and something has another type.
func (r *random) version(t reflect.Type, deep int) reflect.Type {
	n := r.IntN(40)
	switch {
	case n == 0 || deep == 0:
		return t
	case n == 1:
		return r.typ(1)
	case n == 2:
		return reflect.PointerTo(r.version(t, deep-1))
	}
	var same []reflect.Type // on the wire
	switch t {
	case reflect.TypeFor[node](), reflect.TypeFor[nodeV2]():
		same = []reflect.Type{reflect.TypeFor[node](), reflect.TypeFor[nodeV2]()}
	case reflect.TypeFor[list](), reflect.TypeFor[ping]():
		same = []reflect.Type{t, t, reflect.TypeFor[list](), reflect.TypeFor[ping](), reflect.SliceOf(t)}
	case reflect.TypeFor[dict]():
		same = []reflect.Type{t, reflect.MapOf(reflect.TypeFor[string](), t)}
	case reflect.TypeFor[any](), reflect.TypeFor[fmt.Stringer](), reflect.TypeFor[marshaler]():
		same = []reflect.Type{t, reflect.TypeFor[any](), reflect.TypeFor[fmt.Stringer](), reflect.TypeFor[marshaler](), reflect.TypeFor[coder]()}
	case reflect.TypeFor[valueGob](), reflect.TypeFor[pointer](), reflect.TypeFor[greedy](), reflect.TypeFor[halfway](), reflect.TypeFor[fragile]():
		same = []reflect.Type{t, t, t, reflect.TypeFor[valueGob](), reflect.TypeFor[halfway](), reflect.TypeFor[fragile](), reflect.TypeFor[coder]()}
	case reflect.TypeFor[Base](), reflect.TypeFor[byVal](), reflect.TypeFor[byPtr](), reflect.TypeFor[hidden](), reflect.TypeFor[hiddenPtr](),
		reflect.TypeFor[both](), reflect.TypeFor[shadow](), reflect.TypeFor[deepBase]():
		flat := reflect.StructOf([]reflect.StructField{
			{Name: "Base", Type: reflect.TypeFor[Base]()}, {Name: "Other", Type: reflect.TypeFor[Other]()},
			{Name: "F0", Type: reflect.TypeFor[int]()}, {Name: "F1", Type: reflect.TypeFor[string]()},
			{Name: "F2", Type: reflect.TypeFor[[]byte]()}, {Name: "F3", Type: reflect.TypeFor[int]()}})
		same = []reflect.Type{t, flat, reflect.TypeFor[both](), reflect.TypeFor[shadow](), reflect.TypeFor[deepBase](), reflect.TypeFor[byPtr]()}
	}
	if len(same) > 0 {
		return same[r.IntN(len(same))]
	}
	if t.PkgPath() != "" {
		return t
	}
	switch t.Kind() {
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return []reflect.Type{t, reflect.TypeFor[blob]()}[r.IntN(2)]
		}
		return reflect.SliceOf(r.version(t.Elem(), deep-1))
	case reflect.Array:
		return reflect.ArrayOf(t.Len(), r.version(t.Elem(), deep-1))
	case reflect.Map:
		key := r.version(t.Key(), deep-1)
		if !key.Comparable() {
			key = t.Key()
		}
		return reflect.MapOf(key, r.version(t.Elem(), deep-1))
	case reflect.Pointer:
		if r.IntN(8) == 0 {
			return r.version(t.Elem(), deep-1)
		}
		return reflect.PointerTo(r.version(t.Elem(), deep-1))
	case reflect.Struct:
		return r.fields(t, deep)
	}
	for kinds := [][2]int{{1, 6}, {6, 12}, {12, 14}, {14, 16}}; len(kinds) > 0; kinds = kinds[1:] { // of other widths
		if of := plainTypes[kinds[0][0]:kinds[0][1]]; contained(of, t) {
			return of[r.IntN(len(of))]
		}
	}
	return t
}

func contained(types []reflect.Type, t reflect.Type) bool {
	for _, u := range types {
		if u == t {
			return true
		}
	}
	return false
}

// fields is version for structs.
func (r *random) fields(t reflect.Type, deep int) reflect.Type {
	var fields []reflect.StructField
	for i := range t.NumField() {
		if r.IntN(8) == 0 {
			continue
		}
		f := t.Field(i)
		fields = append(fields, reflect.StructField{Name: f.Name, Type: r.version(f.Type, deep-1)})
	}
	for i := range 2 {
		if len(fields) == 0 || r.IntN(6) == 0 {
			fields = append(fields, reflect.StructField{Name: fmt.Sprintf("New%d", i), Type: r.typ(1)})
		}
	}
	r.Shuffle(len(fields), func(i, k int) { fields[i], fields[k] = fields[k], fields[i] })
	return reflect.StructOf(fields)
}

// fill sets v to a random value, in which values are nested as deep at most.
func (r *random) fill(v reflect.Value, deep int) {
	switch p := v.Addr().Interface().(type) {
	case *time.Time:
		*p = time.Unix(r.Int64N(1<<33), r.Int64N(1e9)).In(time.FixedZone("", r.IntN(100)*60))
		return
	case *big.Int:
		p.SetUint64(r.Uint64())
		return
	case *big.Float:
		p.SetFloat64(r.NormFloat64())
		return
	case *netip.Addr:
		*p = netip.AddrFrom4([4]byte{byte(r.Uint64())})
		return
	case *url.URL:
		p.Scheme, p.Host = "http", "example.org"
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(r.Uint64()) >> (64 - r.bits()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		v.SetUint(r.Uint64() >> (64 - r.bits()))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(r.float())
	case reflect.Complex64, reflect.Complex128:
		v.SetComplex(complex(r.float(), r.float()))
	case reflect.String:
		v.SetString(r.text())
	case reflect.Pointer:
		if deep > 0 && r.IntN(3) > 0 || v.Type().Elem().Kind() == reflect.Pointer {
			v.Set(reflect.New(v.Type().Elem()))
			r.fill(v.Elem(), deep-1)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte(r.text()))
		} else if deep > 0 {
			v.Set(reflect.MakeSlice(v.Type(), r.IntN(4), 4))
		}
		for i := range v.Len() {
			r.element(v.Index(i), deep-1)
		}
	case reflect.Array:
		for i := range v.Len() {
			r.element(v.Index(i), deep-1)
		}
	case reflect.Map:
		if deep > 0 && r.IntN(5) > 0 {
			r.entries(v, deep)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() && r.IntN(6) > 0 {
				r.fill(v.Field(i), deep-1)
			}
		}
	case reflect.Interface:
		if deep > 0 && r.IntN(5) > 0 {
			r.dynamic(v, deep)
		}
	}
}

// entries makes a map v of a few entries.
func (r *random) entries(v reflect.Value, deep int) {
	v.Set(reflect.MakeMap(v.Type()))
	for range r.IntN(4) {
		key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		r.element(key, deep-1)
		r.element(elem, deep-1)
		_ = protect(func() error { v.SetMapIndex(key, elem); return nil }) // an interface may hold a slice
	}
}

// dynamic fills the interface v.
func (r *random) dynamic(v reflect.Value, deep int) {
	t := r.boxed
	if t == nil || r.IntN(3) == 0 {
		t = boxable[r.IntN(len(boxable))]
	}
	if !t.Implements(v.Type()) {
		return
	}
	in := reflect.New(t).Elem()
	r.element(in, deep-1)
	v.Set(in)
}

// element is fill for places where gob has no encoding for nil pointers.
func (r *random) element(v reflect.Value, deep int) {
	for v.Kind() == reflect.Pointer && r.IntN(50) > 0 {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	r.fill(v, deep)
}

// bits returns how many bits a number has: few are most often.
func (r *random) bits() int {
	return []int{0, 1, 2, 3, 5, 7, 7, 8, 15, 16, 31, 32, 63, 64}[r.IntN(14)]
}

func (r *random) float() float64 {
	switch r.IntN(12) {
	case 0:
		return math.NaN()
	case 1:
		return math.Inf(1 - 2*r.IntN(2))
	case 2:
		return math.Copysign(0, -1)
	case 3:
		return []float64{math.MaxFloat32, 3.4028236e38, 1e-50, math.SmallestNonzeroFloat64, -1e300}[r.IntN(5)]
	}
	return float64(r.IntN(2000)-1000) / 8
}

func (r *random) text() string {
	switch r.IntN(20) {
	case 0:
		return "\xff\xfe invalid"
	case 1:
		return strings.Repeat("long", r.IntN(400))
	}
	return strings.Repeat(string(rune('a'+r.IntN(26))), r.IntN(6))
}
