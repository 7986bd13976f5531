package gobscan_test

import (
	"bytes"
	"encoding"
	"encoding/gob"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"time"
)

// Types for random streams: what reflect.StructOf and its like cannot make.
type (
	number int16
	ratio  float32
	letter byte
	blob   []letter
	anyMap map[string]any

	// Types that lead to themselves.
	list  []list
	dict  map[string]dict
	ping  []pong
	pong  []ping
	dicts []dict
	node  struct {
		Name string
		Next *node
		Kids []node
		By   map[number]*node
		Any  any
	}
	nodeV2 struct {
		By   map[int64]nodeV2
		Kids []*nodeV2
		Next **nodeV2
		Size int
		Any  fmt.Stringer
	}
	ring struct {
		F0 *ring
		F1 [1][]ring
	}

	// Structs with embedded ones: fields of the same name hide each other.
	Base struct {
		F0 int
		F1 string
	}
	Other struct {
		F1 string
		F2 []byte
	}
	base   struct{ F3, F4 int32 }
	byVal  struct{ Base }
	byPtr  struct{ *Base }
	hidden struct {
		base
		F0 int
	}
	hiddenPtr struct {
		*base
		F0 int
	}
	both struct {
		Base
		*Other
		F3 int8
	}
	shadow struct {
		Base
		F0 int64
	}
	deepBase struct {
		byVal
		*both
		F4 uint
	}
	// Number and the others in mixed are embedded, and no structs.
	Number int16
	mixed  struct {
		Number
		number
		fmt.Stringer
		*Other
		F0 int
	}
	withInt struct { // has methods that panic
		*big.Int
		F0 int
	}
	withTime struct { // has the methods of what it embeds
		time.Time
		F0 int
	}

	unsent struct {
		F0 int
		F1 chan int
		F2 func()
		f3 int
	}
	empty struct{}
)

// Types with methods.
type (
	valueGob struct{ S string }    // GobEncode of a value, GobDecode of a pointer
	pointer  struct{ N int }       // both of a pointer
	inPlace  map[string]int        // GobDecode of a value
	array    [2]byte               // MarshalBinary
	key      struct{ A, B int8 }   // the same, and a key
	texter   struct{ F0 string }   // MarshalText, which gob leaves alone
	greedy   struct{ kept []byte } // keeps what it decodes, and changes it
	fragile  struct{ N int }       // panics, or has errors
	halfway  struct{ F0 int }      // only decodes itself
	coder    interface{ gobBoth }  // an interface with the methods
	gobBoth  interface {
		gob.GobEncoder
		gob.GobDecoder
	}
	labelled  struct{ F0 string } // a Stringer
	counted   int                 // a Stringer as a pointer
	marshaler interface{ encoding.BinaryMarshaler }
)

func (v valueGob) GobEncode() ([]byte, error)  { return []byte(v.S), nil }
func (v *valueGob) GobDecode(b []byte) error   { v.S = string(b); return nil }
func (p *pointer) GobEncode() ([]byte, error)  { return []byte{byte(p.N)}, nil }
func (p *pointer) GobDecode(b []byte) error    { p.N = int(b[0]); return nil }
func (m inPlace) GobEncode() ([]byte, error)   { return []byte{byte(len(m))}, nil }
func (m inPlace) GobDecode(b []byte) error     { m["len"] = int(b[0]); return nil } // panics if nil
func (a array) MarshalBinary() ([]byte, error) { return a[:], nil }
func (a *array) UnmarshalBinary(b []byte) error {
	copy(a[:], b)
	return nil
}
func (k key) MarshalBinary() ([]byte, error)  { return []byte{byte(k.A), byte(k.B)}, nil }
func (k *key) UnmarshalBinary(b []byte) error { k.A, k.B = int8(b[0]), int8(b[1]); return nil }
func (t texter) MarshalText() ([]byte, error) { return []byte("text"), nil }
func (t *texter) UnmarshalText([]byte) error  { return errors.New("text") }
func (g greedy) GobEncode() ([]byte, error)   { return g.kept, nil }
func (g *greedy) GobDecode(b []byte) error    { slices.Reverse(b); g.kept = b; return nil }
func (f fragile) GobEncode() ([]byte, error)  { return []byte{byte(f.N)}, nil }
func (h *halfway) GobDecode(b []byte) error   { h.F0 = len(b); return nil }
func (l labelled) String() string             { return l.F0 }
func (c *counted) String() string             { return "counted" }
func (f *fragile) GobDecode(b []byte) error {
	switch f.N = int(b[0]); {
	case f.N%8 == 0:
		panic("fragile")
	case f.N%8 == 1:
		return errors.New("fragile")
	}
	return nil
}

// named are types that random ones are made of.
var named = []reflect.Type{
	reflect.TypeFor[number](), reflect.TypeFor[ratio](), reflect.TypeFor[word](), reflect.TypeFor[blob](), reflect.TypeFor[anyMap](),
	reflect.TypeFor[list](), reflect.TypeFor[dict](), reflect.TypeFor[ping](), reflect.TypeFor[dicts](), reflect.TypeFor[node](),
	reflect.TypeFor[nodeV2](), reflect.TypeFor[ring](), reflect.TypeFor[Base](), reflect.TypeFor[byVal](), reflect.TypeFor[byPtr](),
	reflect.TypeFor[hidden](), reflect.TypeFor[hiddenPtr](), reflect.TypeFor[both](), reflect.TypeFor[shadow](), reflect.TypeFor[deepBase](),
	reflect.TypeFor[withTime](), reflect.TypeFor[mixed](), reflect.TypeFor[withInt](), reflect.TypeFor[unsent](), reflect.TypeFor[valueGob](), reflect.TypeFor[pointer](),
	reflect.TypeFor[inPlace](), reflect.TypeFor[array](), reflect.TypeFor[key](), reflect.TypeFor[texter](), reflect.TypeFor[greedy](),
	reflect.TypeFor[fragile](), reflect.TypeFor[labelled](), reflect.TypeFor[counted](),
	reflect.TypeFor[shout](), reflect.TypeFor[time.Time](), reflect.TypeFor[big.Int](), reflect.TypeFor[*big.Int](),
	reflect.TypeFor[big.Float](), reflect.TypeFor[netip.Addr](), reflect.TypeFor[url.URL](), reflect.TypeFor[*url.URL](),
	reflect.TypeFor[any](), reflect.TypeFor[any](), reflect.TypeFor[fmt.Stringer](), reflect.TypeFor[error](), reflect.TypeFor[coder](),
	reflect.TypeFor[marshaler](), reflect.TypeFor[everything](), reflect.TypeFor[halfway](), reflect.TypeFor[empty](),
}

// plainTypes are what else they are made of.
var plainTypes = []reflect.Type{
	reflect.TypeFor[bool](), reflect.TypeFor[int](), reflect.TypeFor[int8](), reflect.TypeFor[int16](), reflect.TypeFor[int32](),
	reflect.TypeFor[int64](), reflect.TypeFor[uint](), reflect.TypeFor[uint8](), reflect.TypeFor[uint16](), reflect.TypeFor[uint32](),
	reflect.TypeFor[uint64](), reflect.TypeFor[uintptr](), reflect.TypeFor[float32](), reflect.TypeFor[float64](),
	reflect.TypeFor[complex64](), reflect.TypeFor[complex128](), reflect.TypeFor[string](), reflect.TypeFor[[]byte](),
}

// Fields that gob passes over.
var _ = []any{mixed{}.number, unsent{}.f3}

// boxable are types that interfaces can hold.
var boxable []reflect.Type

func init() {
	for i, v := range []any{
		number(0), word(""), blob{}, list{}, dict{}, ping{}, &node{}, Base{}, &both{}, valueGob{}, &pointer{}, inPlace{}, array{}, key{},
		&greedy{}, labelled{}, new(counted), shout(""), time.Time{}, &big.Int{}, netip.Addr{}, &url.URL{}, &texter{}, new(ratio),
		[]any{}, anyMap{}, [2]any{}, [2]array{}, [1]fragile{}, struct{ F0 any }{}, []*node{}, map[any]any{}, new(*int32),
	} {
		_ = protect(func() error { gob.RegisterName(fmt.Sprintf("boxable%d", i), v); return nil }) // may have a name already
		boxable = append(boxable, reflect.TypeOf(v))
	}
	for _, v := range []any{1, int8(1), uint16(1), 1.5, "", true, []byte{}, complex64(1), []string{}, []int32{}} {
		boxable = append(boxable, reflect.TypeOf(v))
	}
}

// equal compares what has been decoded, also what does not equal itself, like NaN, and
// what is nil with what is empty.
func equal(a, b reflect.Value) bool {
	if a.IsValid() != b.IsValid() {
		return false
	}
	if !a.IsValid() {
		return true
	}
	if a.Type() != b.Type() {
		return false
	}
	switch a.Kind() {
	case reflect.Float32, reflect.Float64:
		return a.Float() == b.Float() || a.Float() != a.Float() && b.Float() != b.Float()
	case reflect.Complex64, reflect.Complex128:
		x, y := a.Complex(), b.Complex()
		return fmt.Sprint(x) == fmt.Sprint(y)
	case reflect.Pointer:
		return a.IsNil() == b.IsNil() && (a.UnsafePointer() == b.UnsafePointer() || equal(a.Elem(), b.Elem()))
	case reflect.Interface:
		return equal(a.Elem(), b.Elem())
	case reflect.Slice:
		if a.IsNil() != b.IsNil() || a.Len() != b.Len() {
			return false
		}
		if a.Type().Elem().Kind() == reflect.Uint8 {
			return bytes.Equal(a.Bytes(), b.Bytes())
		}
		return equalElements(a, b)
	case reflect.Array:
		return equalElements(a, b)
	case reflect.Struct:
		for i := range a.NumField() {
			if !equal(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	case reflect.Map:
		return a.IsNil() == b.IsNil() && equalMaps(a, b)
	case reflect.Bool:
		return a.Bool() == b.Bool()
	case reflect.String:
		return a.String() == b.String()
	case reflect.Func, reflect.Chan:
		return a.IsNil() && b.IsNil()
	}
	if a.CanInt() {
		return a.Int() == b.Int()
	}
	return a.Uint() == b.Uint()
}

func equalElements(a, b reflect.Value) bool {
	for i := range a.Len() {
		if !equal(a.Index(i), b.Index(i)) {
			return false
		}
	}
	return true
}

// equalMaps looks for each entry in turn: keys that hold NaN or pointers cannot be looked up.
func equalMaps(a, b reflect.Value) bool {
	if a.Len() != b.Len() {
		return false
	}
	type entry struct{ key, elem reflect.Value }
	var left []entry
	for r := b.MapRange(); r.Next(); {
		left = append(left, entry{r.Key(), r.Value()})
	}
	for r := a.MapRange(); r.Next(); {
		i := slices.IndexFunc(left, func(e entry) bool { return equal(r.Key(), e.key) && equal(r.Value(), e.elem) })
		if i < 0 {
			return false
		}
		left = slices.Delete(left, i, i+1)
	}
	return true
}
