package fuzz

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
)

// gobRandomPayloads encodes n random values as one stream.
func gobRandomPayloads[T any](t testing.TB, seed uint64, n int) (payloads [][]byte) {
	enc := qsocket.Gob[T]().NewEncoder()
	r := rand.New(rand.NewPCG(seed, 0))
	for range n {
		var v T
		randomValue(r, reflect.ValueOf(&v).Elem(), 5)
		p, err := enc.Append(nil, v)
		if err != nil {
			t.Fatalf("encode %#v: %v", v, err)
		}
		payloads = append(payloads, p)
	}
	return payloads
}

// randomValue fills v, with values nested as deep at most.
func randomValue(r *rand.Rand, v reflect.Value, deep int) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(r.Uint64()) >> r.IntN(64))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(r.Uint64() >> r.IntN(64))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(r.NormFloat64())
	case reflect.Complex64, reflect.Complex128:
		v.SetComplex(complex(r.NormFloat64(), float64(r.IntN(9))))
	case reflect.String:
		v.SetString(strings.Repeat("ä", r.IntN(9)))
	case reflect.Pointer:
		if deep > 0 && r.IntN(3) > 0 || v.Type().Elem().Kind() == reflect.Pointer {
			v.Set(reflect.New(v.Type().Elem()))
			randomValue(r, v.Elem(), deep-1)
		}
	case reflect.Slice:
		if deep > 0 {
			v.Set(reflect.MakeSlice(v.Type(), r.IntN(4), 4))
		}
		for i := range v.Len() {
			randomElement(r, v.Index(i), deep-1)
		}
	case reflect.Array:
		for i := range v.Len() {
			randomElement(r, v.Index(i), deep-1)
		}
	case reflect.Map:
		if deep > 0 && r.IntN(3) > 0 {
			v.Set(reflect.MakeMap(v.Type()))
			for range r.IntN(4) {
				key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
				randomValue(r, key, deep-1)
				randomElement(r, elem, deep-1)
				v.SetMapIndex(key, elem)
			}
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(r.Int64N(1<<33), 0).UTC()))
			return
		}
		for i := range v.NumField() {
			randomValue(r, v.Field(i), deep-1)
		}
	case reflect.Interface:
		if v.NumMethod() > 0 || deep <= 0 {
			return
		}
		samples := []any{
			1, "a", 2.5, true, uint8(3), []byte("b"), []int{1}, []string{"x", ""}, complex64(1i), map[string]any{}, []any{}, gobNode{},
			&gobNodeV0{}, gobKey{}, gobList{}, gobDegrees(1), gobBig{}, time.Time{}, [2]time.Time{}, [2]any{}, [3]gobKey{}, map[gobKey]int{}, nil,
		}
		if sample := samples[r.IntN(len(samples))]; sample != nil {
			inner := reflect.New(reflect.TypeOf(sample)).Elem()
			randomElement(r, inner, deep-1)
			v.Set(inner)
		}
	}
}

// randomElement is randomValue for places where gob has no encoding for nil.
func randomElement(r *rand.Rand, v reflect.Value, deep int) {
	for v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	randomValue(r, v, deep)
}
