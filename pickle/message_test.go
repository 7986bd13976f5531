package pickle_test

import (
	"math"
	"math/big"
	"net/netip"
	"testing"
	"time"

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
	Inner string `pickle:"inner,omitempty"`
	Left  int    `pickle:"-"`
}

var equal = cmp.Options{
	cmp.Comparer(func(a, b *big.Int) bool { return a == b || a != nil && b != nil && a.Cmp(b) == 0 }),
	cmp.Comparer(time.Time.Equal),
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }),
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

// The longest durations of Go get across, and what is longer does not.
func TestDurations(t *testing.T) {
	for _, d := range []time.Duration{math.MaxInt64 / 1000 * 1000, math.MinInt64 / 1000 * 1000, -time.Microsecond, 0, -24 * time.Hour} {
		b, err := encodes(d)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := decodes[time.Duration](b); err != nil || got != d {
			t.Errorf("got %v, error %v, want %v", got, err, d)
		}
	}
	for name, delta := range map[string]string{
		"beyond the longest":  "J\xff\xa0\x01\x00J\x84\x4e\x01\x00J\xf8\x0a\x0d\x00",
		"beyond the shortest": "J\x00\x5f\xfe\xffJ\xfb\x02\x00\x00J\x48\x37\x02\x00",
	} {
		if v, err := decodes[time.Duration]("cdatetime\ntimedelta\n" + delta + "\x87R."); err == nil {
			t.Errorf("%s: got %v, want an error", name, v)
		}
	}
}
