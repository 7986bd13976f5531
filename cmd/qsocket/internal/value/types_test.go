package value_test

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"time"
)

// Messages of all kinds.
type (
	numbers struct {
		A int
		B int8
		C int16
		D int32
		E int64
		F uint
		G uint8
		H uint16
		I uint32
		J uint64
		K float32
		L float64
		M bool
		N time.Duration
	}
	texts struct {
		A string
		B []byte
		C [3]byte
		D word
		E []word
		F string `json:"a <name>" msgpack:"a <name>"`
	}
	word     string
	pointers struct {
		A *int
		C *[]int
		D *map[string]int
		E []*point
		F *numbers
		G *any
	}
	point struct{ X, Y int }
	lists struct {
		A []int
		B [][]string
		C [2][2]point
		D []struct{}
		E []map[string][]bool
		F [0]int
	}
	maps struct {
		A map[string]int
		B map[int]string
		C map[uint8]map[int64]point
		D map[word]*point
		E map[string]any
		F map[string]struct{}
	}
	keys struct { // JSON has no such keys
		A map[bool]int
		B map[float64]int
		C map[[2]int]string
		D map[point]string
		E map[float32]bool
	}
	anyKeys  struct{ A map[any]any }
	timeKeys struct {
		A map[time.Time]int
		B map[netip.Addr]int
		C map[color]int
	}
	times struct {
		A time.Time
		B *time.Time
		C []time.Time
		D map[string]time.Time
	}
	embeds struct {
		point
		Inner `json:"inner" msgpack:"inner"`
		Z     int
	}
	Inner struct {
		X int
		P *Inner
	}
	options struct {
		A int            `json:",omitempty" msgpack:",omitempty"`
		B *int           `json:",omitempty" msgpack:",omitempty"`
		C []int          `json:",omitempty" msgpack:",omitempty"`
		D map[string]int `json:",omitempty" msgpack:",omitempty"`
		E string         `json:"other,omitempty" msgpack:"other,omitempty"`
		G any            `json:",omitempty" msgpack:",omitempty"`
		H int64          `json:",string"`
		I netip.Addr     `json:",omitzero" msgpack:",omitempty"`
	}
	tuple struct {
		//lint:ignore U1000 the codec looks for it
		_msgpack struct{} `msgpack:",as_array"`
		A        int
		B        string
		C        *tuple
	}
	node struct {
		V    int
		Next *node
		Kids []node
		M    map[string]*node
		Any  any
	}
	loose struct {
		A any
		B []any
		C map[string]any
	}

	// color has a text.
	color uint8
)

func (c color) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "color %d", uint8(c)), nil }

func (c *color) UnmarshalText(text []byte) error {
	if !strings.HasPrefix(string(text), "color ") {
		return errors.New("no color")
	}
	_, err := fmt.Sscanf(string(text), "color %d", (*uint8)(c))
	return err
}

func at[T any](v T) *T { return &v }

var (
	extremes = numbers{math.MinInt64, math.MinInt8, math.MinInt16, math.MinInt32, math.MinInt64, math.MaxUint64, math.MaxUint8, math.MaxUint16,
		math.MaxUint32, math.MaxUint64, math.MaxFloat32, math.MaxFloat64, true, math.MaxInt64}
	notNumbers = []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.Float64frombits(0x7ff8000000000002), math.Copysign(0, -1), math.SmallestNonzeroFloat64, 1e21, 1e-7, 1 << 53}
	// Of these the controls, what changes the direction of writing, and a private character must not be printed.
	awkward = "quote\" back\\ tab\t line\nfeed \x00\x1b[31m \x7f \u009b31m \u2028 \u202e \ufffd \U0001f600 \U000e0001 \ue000 é"
	instant = time.Date(2026, 1, 2, 3, 4, 5, 678901234, time.UTC)
)
