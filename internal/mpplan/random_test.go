package mpplan_test

import (
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// random sets v to a value that v5 can encode in one way only: maps that v5 does
// not sort have at most one entry.
func random(r *rand.Rand, v reflect.Value, depth int) {
	if depth > 4 || r.IntN(8) == 0 {
		if v.Type() == reflect.TypeFor[url.URL]() || v.Type() == reflect.TypeFor[netip.Addr]() {
			return
		}
		v.SetZero()
		return
	}
	switch v.Type() {
	case reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Unix(r.Int64N(1<<uint(1+r.IntN(40))), r.Int64N(1e9)*r.Int64N(2))))
		return
	case reflect.TypeFor[msgpack.RawMessage]():
		v.SetBytes([][]byte{nil, {1}, {0x92, 1, 0xa1, 'a'}, {0x81, 0xa1, 'k', 0xc0}}[r.IntN(4)])
		return
	case reflect.TypeFor[error]():
		v.Set(reflect.ValueOf(errors.New("an error")))
		return
	case reflect.TypeFor[big.Int](), reflect.TypeFor[url.URL]():
		return
	case reflect.TypeFor[net.IP]():
		v.Set(reflect.ValueOf(net.IPv4(1, 2, 3, byte(r.IntN(256)))))
		return
	case reflect.TypeFor[netip.Addr]():
		v.Set(reflect.ValueOf(netip.AddrFrom4([4]byte{1, 2, 3, byte(r.IntN(256))})))
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(r.Uint64()) >> r.IntN(64))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(r.Uint64() >> r.IntN(64))
	case reflect.Float32, reflect.Float64:
		v.SetFloat([]float64{0, math.Copysign(0, -1), 1, -1.5, math.Inf(1), math.NaN(), 1e30, float64(r.Uint32())}[r.IntN(8)])
	case reflect.String:
		v.SetString(randomString(r))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		random(r, v.Elem(), depth+1)
	case reflect.Slice:
		n := []int{0, 1, 2, 3, 15, 16, 20}[r.IntN(4+3*r.IntN(2))]
		if depth > 2 {
			n = min(n, 2)
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			random(r, v.Index(i), depth+1)
		}
	case reflect.Array:
		for i := range v.Len() {
			random(r, v.Index(i), depth+1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		random(r, key, depth+1)
		random(r, elem, depth+1)
		v.SetMapIndex(key, elem)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				random(r, v.Field(i), depth+1)
			}
		}
	case reflect.Interface:
		if x := randomAny(r, depth); x != nil {
			v.Set(reflect.ValueOf(x))
		}
	}
}

func randomString(r *rand.Rand) string {
	n := []int{0, 1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 255, 256}[r.IntN(13+2*r.IntN(2))]
	s := make([]rune, n)
	for i := range s {
		s[i] = rune('a' + r.IntN(26))
		if r.IntN(40) == 0 {
			s[i] = []rune("żéЖ世😀\x00")[r.IntN(6)]
		}
	}
	return string(s)
}

func randomAny(r *rand.Rand, depth int) any {
	types := []reflect.Type{
		reflect.TypeFor[string](), reflect.TypeFor[bool](), reflect.TypeFor[int](), reflect.TypeFor[uint64](),
		reflect.TypeFor[float64](), reflect.TypeFor[float32](), reflect.TypeFor[[]byte](), reflect.TypeFor[time.Time](),
		reflect.TypeFor[Level](), reflect.TypeFor[time.Duration](), reflect.TypeFor[[]any](), reflect.TypeFor[map[string]any](),
		reflect.TypeFor[map[string]string](), reflect.TypeFor[Point](), reflect.TypeFor[*Point](), reflect.TypeFor[[2]int](),
		reflect.TypeFor[Shout](), reflect.TypeFor[Pair](), reflect.TypeFor[*Custom](), reflect.TypeFor[Ext](), reflect.TypeFor[Opt](),
	}
	v := reflect.New(types[r.IntN(len(types))]).Elem()
	random(r, v, depth+1)
	return v.Interface()
}
