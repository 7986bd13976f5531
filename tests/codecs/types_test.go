package codecs

import (
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/vmihailenco/msgpack/v5"
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
		D json.RawMessage `msgpack:"-"`
		E word
		F []word
	}
	word     string
	pointers struct {
		A *int
		B **string
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
		*Named
		Inner `json:"inner" msgpack:"inner"`
		Z     int
	}
	Named struct{ Name string }
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
		F point          `json:",omitzero" msgpack:",omitempty"`
		G any            `json:",omitempty" msgpack:",omitempty"`
		H int64          `json:",string"`
		I netip.Addr     `json:",omitzero" msgpack:",omitempty"`
		J time.Time      `json:",omitzero" msgpack:",omitempty"`
		K []string       `msgpack:",intern"`
	}
	node struct {
		V    int
		Next *node
		Kids []node
		M    map[string]*node
		Any  any
	}
	tree struct {
		Parent *tree `json:"-" msgpack:"-"`
		Name   string
		Kids   []*tree
	}
	loose struct {
		A any
		B []any
		C map[string]any
		D *any
	}
	standard struct {
		A netip.Addr
		B netip.Prefix
		C *big.Int
		D *url.URL
		E []netip.AddrPort
	}
	methods struct {
		A color
		B *color
		C []temperature
		D *temperature
		E map[string]*temperature
		F custom
		G *custom
		H []custom
	}

	// A color has a text, on values.
	color uint8

	// A temperature has one on pointers.
	temperature struct{ Degrees int }

	// A custom does it for every codec.
	custom struct {
		N    int
		Next *custom
	}
)

func (c color) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "color %d", uint8(c)), nil }

func (c *color) UnmarshalText(text []byte) error {
	var n uint8
	_, err := fmt.Sscanf(string(text), "color %d", &n)
	*c = color(n)
	return err
}

func (t *temperature) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%d °C", t.Degrees), nil
}

func (t *temperature) UnmarshalText(text []byte) error {
	if !strings.HasSuffix(string(text), " °C") {
		return errors.New("no temperature")
	}
	_, err := fmt.Sscanf(string(text), "%d", &t.Degrees)
	return err
}

type customFields struct {
	N    int
	Next *custom
}

func (c *custom) EncodeMsgpack(enc *msgpack.Encoder) error { return enc.Encode((*customFields)(c)) }
func (c *custom) DecodeMsgpack(dec *msgpack.Decoder) error { return dec.Decode((*customFields)(c)) }

func init() {
	for _, v := range []any{point{}, []any{}, map[string]any{}, numbers{}, node{}, time.Time{}, []int{}, [2]int{}, map[string]int{}} {
		gob.Register(v)
	}
}
