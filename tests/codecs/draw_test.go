package codecs

import (
	"encoding/json"
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

// drawer makes values at random, hostile ones among them: values that contain themselves,
// are nested deep, share what they point to, or hold what a codec cannot carry.
type drawer struct {
	r    *rand.Rand
	made map[reflect.Type][]reflect.Value // pointers, by type
	wild bool                             // also what a codec must refuse
}

func newDrawer(seed uint64) *drawer {
	r := rand.New(rand.NewPCG(seed, 99))
	return &drawer{r: r, made: make(map[reflect.Type][]reflect.Value), wild: r.IntN(3) == 0}
}

// one reports true once in n times.
func (d *drawer) one(n int) bool { return d.r.IntN(n) == 0 }

// length is that of a slice or map; −1 is nil.
func (d *drawer) length(depth int) int {
	if depth > 6 {
		return d.r.IntN(2) - 1
	}
	return d.r.IntN(5) - 1
}

func (d *drawer) fill(v reflect.Value, depth int) {
	if !v.CanSet() {
		return
	}
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(d.time()))
		return
	}
	switch v.Addr().Interface().(type) {
	case *url.URL:
		u, err := url.Parse("https://example.com/path/" + url.PathEscape(d.text()) + "?q=1#f")
		if err != nil {
			panic(err)
		}
		v.Set(reflect.ValueOf(*u))
		return
	case *netip.Addr:
		v.Set(reflect.ValueOf(d.addr()))
		return
	case *netip.Prefix:
		v.Set(reflect.ValueOf(netip.PrefixFrom(d.addr(), d.r.IntN(33))))
		return
	case *netip.AddrPort:
		v.Set(reflect.ValueOf(netip.AddrPortFrom(netip.IPv6Loopback(), uint16(d.bits(16)))))
		return
	case *json.RawMessage:
		v.SetBytes([][]byte{nil, []byte("null"), []byte(`{"a":[1,"b"]}`), []byte(`{`), []byte("1")}[d.r.IntN(5)])
		return
	case *msgpack.RawMessage:
		v.SetBytes([][]byte{nil, {0xc0}, {7}, {0x81, 0xa1, 'k', 1}, {0xc1}, {0x91, 0xa1, 'k'}}[d.r.IntN(6)])
		return
	case *json.Number:
		v.SetString([]string{"1", "-2.5e3", "0", "12345678901234567890", "", "x"}[d.r.IntN(6)])
		return
	case *net.IP:
		v.SetBytes([][]byte{nil, net.IPv4(1, 2, 3, 4), net.IPv6loopback, {1, 2, 3, 4}, {}}[d.r.IntN(5)])
		return
	case *big.Int:
		v.Addr().Interface().(*big.Int).SetInt64(d.bits(64))
		return
	case *big.Rat:
		v.Addr().Interface().(*big.Rat).SetFrac64(d.bits(64), 1+d.r.Int64N(9))
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(d.one(2))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(d.bits(v.Type().Bits()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(d.bits(v.Type().Bits())) & (1<<v.Type().Bits() - 1))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(d.float())
	case reflect.String:
		v.SetString(d.text())
	case reflect.Pointer:
		d.pointer(v, depth)
	case reflect.Interface:
		if x := d.any(depth); x != nil && reflect.TypeOf(x).AssignableTo(v.Type()) {
			v.Set(reflect.ValueOf(x))
		} else if d.wild && v.Type() == reflect.TypeFor[error]() {
			v.Set(reflect.ValueOf(errors.New("some error")))
		}
	case reflect.Slice:
		n := d.length(depth)
		if n < 0 {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			d.fill(v.Index(i), depth+1)
		}
	case reflect.Array:
		for i := range v.Len() {
			d.fill(v.Index(i), depth+1)
		}
	case reflect.Map:
		d.entries(v, depth)
	case reflect.Struct:
		d.fields(v, depth)
	}
}

// fields fills the fields of a struct, and those that an embedded one has that is not
// exported itself.
func (d *drawer) fields(v reflect.Value, depth int) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		switch {
		case f.IsExported():
			d.fill(v.Field(i), depth+1)
		case f.Anonymous && f.Type.Kind() == reflect.Struct:
			d.fields(v.Field(i), depth)
		}
	}
}

func (d *drawer) pointer(v reflect.Value, depth int) {
	made := d.made[v.Type()]
	switch {
	case d.one(3) || depth > 8 && !d.wild:
	case len(made) > 0 && d.one(10): // shared, or a cycle if it is wild
		p := made[d.r.IntN(len(made))]
		if d.wild || p.Elem().Kind() != reflect.Struct {
			v.Set(p)
		}
	default:
		p := reflect.New(v.Type().Elem())
		d.made[v.Type()] = append(made, p)
		v.Set(p)
		d.fill(p.Elem(), depth+1)
	}
}

func (d *drawer) entries(v reflect.Value, depth int) {
	n := d.length(depth)
	if n < 0 {
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for range n {
		key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		d.fill(key, depth+1)
		d.fill(elem, depth+1)
		if key.Comparable() {
			v.SetMapIndex(key, elem)
		}
	}
}

func (d *drawer) bits(n int) int64 {
	switch d.r.IntN(4) {
	case 0:
		return int64(d.r.IntN(300) - 150)
	case 1: // at the limits of the formats
		x := int64(1) << (d.r.IntN(n) % 63)
		return x + int64(d.r.IntN(3)-1)
	case 2:
		return -int64(1)<<(d.r.IntN(n)%63) + int64(d.r.IntN(3)-1)
	}
	return int64(d.r.Uint64() >> d.r.IntN(64))
}

func (d *drawer) float() float64 {
	switch d.r.IntN(8) {
	case 0:
		return float64(d.r.IntN(100))
	case 1:
		return math.Copysign(0, -1)
	case 2:
		return math.MaxFloat32
	case 3:
		if d.wild {
			return []float64{math.NaN(), math.Inf(1), math.Inf(-1)}[d.r.IntN(3)]
		}
	}
	return float64(float32(d.r.NormFloat64()))
}

func (d *drawer) text() string {
	texts := []string{"", "a", "key", "日本", "\uFFFD", "\\ufffd", "a\"b\\c\n", "<&>\u2028", "long " + string(make([]byte, d.r.IntN(300)))}
	if d.wild {
		texts = append(texts, "\xff", "a\xc3", "\xed\xa0\x80")
	}
	return texts[d.r.IntN(len(texts))]
}

func (d *drawer) addr() netip.Addr {
	return []netip.Addr{{}, netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("::12"), netip.MustParseAddr("fe80::1%eth0")}[d.r.IntN(4)]
}

func (d *drawer) time() time.Time {
	t := time.Unix(d.r.Int64N(4e9)-1e9, d.r.Int64N(1e9))
	switch d.r.IntN(8) {
	case 0:
		return time.Time{}
	case 1:
		return t.UTC()
	case 2:
		return t.In(time.FixedZone("somewhere", 60*(d.r.IntN(1600)-800)))
	case 3:
		return time.Now()
	case 4:
		if d.wild {
			return t.In(time.FixedZone("LMT", d.r.IntN(80000)-40000)).AddDate(d.r.IntN(20000)-10000, 0, 0)
		}
	}
	return t
}

// any draws what is in an interface.
func (d *drawer) any(depth int) any {
	n := 16
	if depth > 6 {
		n = 6
	}
	switch d.r.IntN(n) {
	case 0:
		return nil
	case 1:
		return d.one(2)
	case 2:
		return int(d.bits(64))
	case 3:
		return d.float()
	case 4:
		return d.text()
	case 5:
		return uint8(d.bits(8))
	case 6:
		return d.value(reflect.TypeFor[[]any](), depth)
	case 7, 8:
		return d.value(reflect.TypeFor[map[string]any](), depth)
	case 9:
		return d.value(reflect.TypeFor[point](), depth)
	case 10:
		return d.value(reflect.TypeFor[[]int](), depth)
	case 11:
		return d.value(reflect.TypeFor[map[string]int](), depth)
	case 12:
		if d.wild { // what no codec can carry, or only some
			return []any{func() {}, make(chan int), 1i, struct{ A, b int }{1, 2}, map[point]int{{1, 2}: 3}, [2]int{1, 2}, &[]any{1}}[d.r.IntN(7)]
		}
	case 13, 14:
		if t := anyTypes[d.r.IntN(len(anyTypes))]; t.Kind() != reflect.Interface {
			return d.value(t, depth)
		}
	case 15:
		if d.wild {
			loop := map[string]any{"a": 1}
			loop["loop"] = []any{loop}
			return loop
		}
	}
	return d.time()
}

func (d *drawer) value(t reflect.Type, depth int) any {
	v := reflect.New(t).Elem()
	d.fill(v, depth+1)
	return v.Interface()
}
