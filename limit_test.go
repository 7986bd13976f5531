package qsocket

import (
	"encoding/gob"
	"encoding/json"
	mrand "math/rand"
	"math/rand/v2"
	"reflect"
	"testing"
	"testing/quick"
	"time"
)

// The tests of this file are in the package because how long a payload may be is told to
// encoders by Conns only, and those of tests/fit know the limit no more exactly than by
// a payload that begins a stream.

// Types whose encodings can be shorter than they look.
type (
	leastMethod struct{ N []int }
	leastInner  struct {
		X, Y int
		T    string `json:",omitempty"`
	}
	leastFields struct {
		A  int      `json:",omitempty"`
		B  string   `json:"b,omitempty"`
		C  []string `json:",omitempty"`
		D  *int
		E  **int
		F  [3]int
		G  [0]int `json:",omitempty"`
		H  leastInner
		I  *leastInner `json:",omitempty"`
		J  struct{}
		K  [2]struct{ P, Q uint8 }
		L  map[string]leastInner
		M  map[int8][]bool
		N  []byte
		O  [4]byte
		P  leastMethod `json:",omitzero"`
		Q  *leastMethod
		R  leastInner `json:",omitzero"`
		S  *string    `json:"§bad,omitzero"`
		T  float32    `json:"tee,string,omitempty"`
		U  []*leastInner
		V  json.Number
		W  []json.Number
		X  *[]int
		Y  *map[string]int
		Z  leastText
		AA []leastText
		AB map[leastText]int
		AC time.Duration
		AD []struct{ Z *int }
		AE [2][2]string
		AF float64 `json:",omitzero"`
	}
	leastTree struct {
		leastInner
		*leastFields
		Kids []leastTree
		M    map[string]*leastTree
		Next *leastTree `json:",omitzero"`
		Any  any
		Anys []any
		At   *time.Time
	}
	leastText string
)

func (m leastMethod) IsZero() bool                  { return len(m.N)%2 == 0 }
func (m *leastMethod) MarshalJSON() ([]byte, error) { return []byte{'0'}, nil }
func (m *leastMethod) UnmarshalJSON([]byte) error   { return nil }
func (m leastMethod) GobEncode() ([]byte, error)    { return []byte{1}, nil }
func (m *leastMethod) GobDecode([]byte) error       { return nil }
func (t leastText) MarshalText() ([]byte, error)    { return nil, nil }
func (t *leastText) UnmarshalText([]byte) error     { return nil }

func init() {
	gob.Register(leastInner{})
	gob.Register([]any{})
	gob.Register([]string{})
	gob.Register(leastTree{})
}

// A payload of n bytes is sent where n bytes are allowed: what an encoder counts before it
// knows the encoding is never more than that.
func TestWhatFitsIsSent(t *testing.T) {
	whatFits[leastFields](t)
	whatFits[leastTree](t)
	whatFits[[]leastTree](t)
	whatFits[*leastTree](t)
	whatFits[[]string](t)
	whatFits[[][]byte](t)
	whatFits[map[string]string](t)
	whatFits[map[string]int](t)
	whatFits[[]map[leastText][]string](t)
	whatFits[[]*string](t)
	whatFits[[][0]int](t)
	whatFits[[]struct{}](t)
	whatFits[[50]struct{}](t)
	whatFits[struct {
		A *[40]struct{}
		B []**int
	}](t)
	whatFits[any](t)
	whatFits[[]any](t)
	whatFits[map[string]any](t)
	whatFits[struct{ A, B, C any }](t)
}

func whatFits[T any](t *testing.T) {
	for _, c := range []Codec[T]{Gob[T](), JSON[T](), Msgpack[T](), Msgpack[T](ArrayEncodedStructs())} {
		r := rand.New(rand.NewPCG(1, 2))
		enc := c.NewEncoder()
		sent, sum := 0, 0
		for range 1000 {
			v := new(T)
			leastFill(r, reflect.ValueOf(v).Elem(), 0)
			limit(enc, maxMaxFrame)
			if _, err := enc.Append(nil, *v); err != nil {
				continue
			}
			p, err := enc.Append(nil, *v) // without the definitions of types
			if err != nil {
				t.Fatalf("%s: %T: the second time: %v", c.Name(), *v, err)
			}
			sent, sum = sent+1, sum+len(p)
			limit(enc, len(p))
			if _, err := enc.Append(nil, *v); err != nil {
				t.Errorf("%s: %T of %d bytes: %v", c.Name(), *v, len(p), err)
				if b, err := json.Marshal(v); err == nil {
					t.Logf("%.500s", b)
				}
				break
			}
		}
		if sent < 100 {
			t.Errorf("%s: %T: %d values were sent", c.Name(), *new(T), sent)
		}
		t.Logf("%s: %T: %d values of %d bytes", c.Name(), *new(T), sent, sum/max(sent, 1))
	}
}

var qr = mrand.New(mrand.NewSource(1))

// leastFill makes v any value, with much that is zero or empty.
func leastFill(r *rand.Rand, v reflect.Value, depth int) {
	if r.IntN(3) == 0 || depth > 7 {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		leastFill(r, v.Elem(), depth+1)
	case reflect.Interface:
		if v.NumMethod() == 0 {
			leastHeld(r, v, depth)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(r.Int64N(1e9), 0).UTC()))
			return
		}
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() {
				leastFill(r, f, depth+1)
			} else if f.Kind() == reflect.Struct {
				for k := range f.NumField() {
					if f.Field(k).CanSet() {
						leastFill(r, f.Field(k), depth+1)
					}
				}
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), r.IntN(6), 6))
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			leastFill(r, v.Index(i), depth+1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range r.IntN(5) {
			key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			leastFill(r, key, depth+1)
			leastFill(r, elem, depth+1)
			v.SetMapIndex(key, elem)
		}
	case reflect.String:
		v.SetString([]string{"", "1", "12", "345678"}[r.IntN(4)])
	default:
		if q, ok := quick.Value(v.Type(), qr); ok && r.IntN(3) == 0 {
			v.Set(q)
		} else if v.CanInt() {
			v.SetInt(int64(r.IntN(10)))
		} else if v.CanUint() {
			v.SetUint(uint64(r.IntN(10)))
		}
	}
}

func leastHeld(r *rand.Rand, v reflect.Value, depth int) {
	held := []reflect.Type{
		reflect.TypeFor[int](), reflect.TypeFor[string](), reflect.TypeFor[bool](), reflect.TypeFor[[]any](),
		reflect.TypeFor[[]string](), reflect.TypeFor[leastInner](), reflect.TypeFor[*leastInner](), reflect.TypeFor[float64](), reflect.TypeFor[[]byte](),
	}
	e := reflect.New(held[r.IntN(len(held))]).Elem()
	leastFill(r, e, depth+1)
	v.Set(e)
}
