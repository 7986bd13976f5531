package pickle_test

import (
	"bytes"
	"hash/crc32"
	"math"
	"math/big"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/pickle"
	"github.com/google/go-cmp/cmp"
)

// everything has something of everything that can be in a message.
type everything struct {
	Bool   bool
	I8     int8
	U16    uint16
	Int    int64
	Uint   uint64
	Big    *big.Int
	F32    float32
	F64    float64
	Str    string
	Bytes  []byte
	Raw    [4]byte
	List   []int
	Pair   [2]string
	Wide   []struct{ A [512]byte }
	Map    map[string]int
	Typed  map[[2]int8]map[bool][]string
	Set    map[string]struct{}
	Loose  map[any]any
	Any    any
	Self   *everything
	Selves map[string]*everything `pickle:"selves,omitempty"`
	Time   time.Time
	Delta  time.Duration
	Date   pickle.Date
	Clock  pickle.TimeOfDay
	Dec    pickle.Decimal
	Addr   netip.Addr
	Nested [][]struct{}
	Embedded
}

type Embedded struct {
	Inner  string `pickle:"inner,omitempty"`
	hidden int
	Left   int `pickle:"-"`
}

var equal = cmp.Options{
	cmp.Comparer(func(a, b *big.Int) bool { return a == b || a != nil && b != nil && a.Cmp(b) == 0 }),
	cmp.Comparer(time.Time.Equal),
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }),
	cmp.AllowUnexported(Embedded{}),
}

func full() everything {
	return everything{
		Bool: true, I8: -128, U16: 65535, Int: math.MinInt64, Uint: math.MaxUint64, Big: new(big.Int).Lsh(big.NewInt(-3), 100),
		F32: 0.1, F64: math.Inf(-1), Str: "é\x00", Bytes: []byte{0, 255}, Raw: [4]byte{1, 2, 3, 4}, List: []int{1, 256, 65536, 1 << 40}, Pair: [2]string{"a", "b"},
		Wide: make([]struct{ A [512]byte }, 2), Map: map[string]int{"b": 1, "a": 2}, Typed: map[[2]int8]map[bool][]string{{1, 2}: {true: {"x"}}},
		Set: map[string]struct{}{"s": {}, "r": {}}, Loose: map[any]any{nil: int64(1), int64(2): "3", "x": []any{}}, Any: map[string]any{"k": []any{nil, true, 1.5}},
		Self: &everything{Str: "inner"}, Selves: map[string]*everything{"none": nil},
		Time: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.FixedZone("", -3600)), Delta: -time.Microsecond, Date: pickle.Date{Year: 2026, Month: 2, Day: 28},
		Clock: pickle.TimeOfDay(23 * time.Hour), Dec: "-1.50", Addr: netip.MustParseAddr("::1"), Nested: [][]struct{}{{}, {{}, {}}}, Embedded: Embedded{Inner: "e"},
	}
}

// FuzzDecode decodes anything. Nothing panics, or allocates more than the bound. What decodes
// also encodes, and then stays the same.
func FuzzDecode(f *testing.F) {
	for _, c := range corpus(f) {
		if len(c) < 2000 {
			f.Add(c)
		}
	}
	for _, opts := range [][]pickle.Option{nil, {pickle.Protocol3()}} {
		b, err := pickle.Codec[everything](opts...).NewEncoder().Append(nil, full())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		fuzzDecode[everything](t, p)
		fuzzDecode[any](t, p)
	})
}

func fuzzDecode[T any](t *testing.T, p []byte) {
	c := pickle.Codec[T](pickle.NaiveIn(time.UTC))
	enc, dec := c.NewEncoder(), c.NewDecoder()
	var v T
	var err error
	if crc32.ChecksumIEEE(p)%16 == 0 { // it takes as long as all the rest
		allocated := testkit.Allocated(func() { v, err = dec.Decode(p) })
		checkAllocated(t, allocated, v, p)
	} else {
		v, err = dec.Decode(p)
	}
	if err != nil {
		if fault := testkit.ErrorFault(err); fault != "" {
			t.Errorf("%x: %s", p, fault)
		}
		return
	}
	first, err := enc.Append(nil, v)
	if err != nil {
		if strings.Contains(err.Error(), "are one in Python") || strings.Contains(err.Error(), "MarshalText") {
			return // which Python would not have written
		}
		t.Fatalf("%x decodes to %+v, which does not encode: %v", p, v, err)
	}
	w, err := dec.Decode(first)
	if err != nil {
		t.Fatalf("%x encodes as %x, which does not decode: %v", p, first, err)
	}
	if second, err := enc.Append(nil, w); err != nil || !bytes.Equal(first, second) {
		t.Fatalf("%x encodes as %x, and then as %x, %v", p, first, second, err)
	}
}

// checkAllocated compares what decoding p to v has allocated with the bound.
func checkAllocated(t *testing.T, allocated uint64, v any, p []byte) {
	t.Helper()
	// The decoder itself, the first value, and the error are not the payload's.
	if limit := uint64(64*len(p) + 64<<10 + 8<<10); allocated > limit {
		t.Errorf("%T from %d bytes %.200x: %d bytes allocated, want at most %d", v, len(p), p, allocated, limit)
	}
}

// Nothing of the corpus of tests/hostile allocates more than the bound.
func TestAllocated(t *testing.T) {
	for _, p := range corpus(t) {
		var v everything
		var w any
		allocated := testkit.Allocated(func() { v, _ = pickle.Codec[everything]().NewDecoder().Decode(p) })
		checkAllocated(t, allocated, v, p)
		allocated = testkit.Allocated(func() { w, _ = pickle.Codec[any]().NewDecoder().Decode(p) })
		checkAllocated(t, allocated, w, p)
	}
}

// corpus returns the payloads of FuzzDecode that are files of tests/hostile.
func corpus(t testing.TB) (payloads [][]byte) {
	t.Helper()
	b, err := os.ReadFile("../tests/hostile/testdata/pickle/corpus.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if cols := strings.Split(line, "|"); len(cols) == 4 && line[0] != '#' {
			p, err := testkit.RepeatedHex(cols[2])
			if err != nil {
				t.Fatal(err)
			}
			payloads = append(payloads, p)
		}
	}
	return payloads
}

// FuzzRoundTrip makes values of what it gets. They arrive as they were sent, with each
// protocol, and equal ones have equal payloads.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("\x06\x05\x00\x01\x02\xff\xff\xff\xff\xff\xff\xff\xff\x03\x04\x03abc\x08\x02\x04\x01a\x07\x01\x0a\x0b\x0c\x0d\x0e"))
	codecs := []qsocket.Codec[any]{pickle.Codec[any](), pickle.Codec[any](pickle.Protocol3())}
	f.Fuzz(func(t *testing.T, script []byte) {
		g := maker{script: script}
		v := g.value(0)
		for _, c := range codecs {
			enc := c.NewEncoder()
			b, err := enc.Append([]byte("before"), v)
			if err != nil {
				t.Fatalf("%s does not encode: %v", text(v), err)
			}
			got, err := c.NewDecoder().Decode(b[len("before"):])
			if err != nil {
				t.Fatalf("%s: %x does not decode: %v", text(v), b, err)
			}
			if text(got) != text(v) {
				t.Fatalf("got %s, want %s", text(got), text(v))
			}
			if again, err := enc.Append([]byte("before"), got); err != nil || !bytes.Equal(again, b) {
				t.Fatalf("encodes as %x and as %x, %v", b, again, err)
			}
		}
	})
}

// maker makes values by a script.
type maker struct{ script []byte }

func (g *maker) byte() (c byte) {
	if len(g.script) > 0 {
		c, g.script = g.script[0], g.script[1:]
	}
	return c
}

func (g *maker) bits() (u uint64) {
	for range 8 {
		u = u<<8 | uint64(g.byte())
	}
	return u
}

func (g *maker) bytes() []byte {
	n := min(int(g.byte()), len(g.script))
	b := append([]byte{}, g.script[:n]...)
	g.script = g.script[n:]
	return b
}

func (g *maker) string() string { return strings.ToValidUTF8(string(g.bytes()), "é") }

func (g *maker) micros() time.Duration {
	return time.Duration(int64(g.bits())/1000) * time.Microsecond
}

func (g *maker) time() time.Time {
	offset := int(int32(g.bits()) % 86400)
	year, micro := 1+g.bits()%9999, time.Duration(g.bits()%(365*86400e6))*time.Microsecond
	return time.Date(int(year), 1, 1, 0, 0, 0, 0, time.FixedZone("", offset)).Add(micro)
}

func (g *maker) scalar(kind byte) any {
	switch kind {
	case 0:
		return nil
	case 1:
		return g.byte()%2 == 1
	case 2:
		return int64(g.bits()) >> (g.byte() % 64)
	case 3:
		return math.Float64frombits(g.bits())
	case 4:
		return g.string()
	case 5:
		return g.micros()
	case 6:
		y, m, d := g.time().Date()
		return pickle.Date{Year: y, Month: m, Day: d}
	case 7:
		return pickle.TimeOfDay(g.bits() % 86400e6 * 1000)
	case 8:
		return g.bytes()
	case 9:
		return g.time()
	case 10:
		z := new(big.Int).SetBytes(append([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0}, g.bytes()...))
		if g.byte()%2 == 1 {
			z.Neg(z)
		}
		return z
	default:
		return pickle.Decimal(new(big.Int).SetBytes(g.bytes()).String() + ".0E-7")
	}
}

// key makes a key; numbers are left out of those of which two could be one in Python.
func (g *maker) key() any {
	keys := [...]byte{0, 2, 4, 5, 6, 7}
	return g.scalar(keys[int(g.byte())%len(keys)])
}

func (g *maker) value(depth int) any {
	kind := g.byte() % 16
	if kind < 12 || depth > 20 {
		return g.scalar(kind % 12)
	}
	n := int(g.byte() % 8)
	switch kind {
	case 12:
		m := make(map[string]any)
		for range n {
			m[g.string()] = g.value(depth + 1)
		}
		return m
	case 13:
		m := map[any]any{int64(7): nil} // else it could be a map[string]any
		for range n {
			m[g.key()] = g.value(depth + 1)
		}
		return m
	case 14:
		m := make(map[any]struct{})
		for range n {
			m[g.key()] = struct{}{}
		}
		return m
	default:
		s := make([]any, n)
		for i := range s {
			s[i] = g.value(depth + 1)
		}
		return s
	}
}

// A struct arrives as it was sent.
func TestRoundTrip(t *testing.T) {
	for _, opts := range [][]pickle.Option{nil, {pickle.Protocol3()}} {
		c := pickle.Codec[everything](opts...)
		b, err := c.NewEncoder().Append(nil, full())
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.NewDecoder().Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(full(), got, equal); d != "" {
			t.Error(d)
		}
	}
}
