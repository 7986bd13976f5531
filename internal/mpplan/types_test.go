package mpplan_test

import (
	"errors"
	"math/big"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/mpplan"
	"github.com/vmihailenco/msgpack/v5"
)

// Types with something of everything that v5 treats in a way of its own.
type (
	Numbers struct {
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
		O Level
	}
	Level   uint8
	Flag    bool
	Strings struct {
		A string
		B Text
		C []byte
		D []Level
		E [4]byte
		F [3]Level
		G []string
		H []Text
		I *string
		J **string
	}
	Tagged struct {
		A int       `msgpack:"a,omitempty"`
		B string    `msgpack:"longer_than_eight,omitempty"`
		C []int     `msgpack:",omitempty"`
		D *Tagged   `msgpack:"d,omitempty"`
		E any       `msgpack:"e,omitempty"`
		F float64   `msgpack:"f,omitempty,alias:ff"`
		G Opt       `msgpack:"'g,h',omitempty"`
		H time.Time `msgpack:"h,omitempty"`
		I Zeroer    `msgpack:"i,omitempty"`
		J *Zeroer   `msgpack:"j,omitempty"`
		K [2]int    `msgpack:"k,omitempty"`
		L int       `msgpack:"-"`
		M string    `msgpack:",intern"`
		n int
		O Level `msgpack:"o,unknown:option(with, commas)"`
	}
	Zeroer struct{ N int }
	Embeds struct {
		Header
		*Opt
		Flagged `msgpack:"flagged,noinline"`
		Own     string
	}
	Flagged struct{ On Flag }
	Arrayed struct {
		_msgpack struct{} `msgpack:",as_array"`
		A        int
		B        *Arrayed
		C        []Arrayed
	}
	Maps struct {
		A map[string]string
		B map[string]any
		C map[string]bool
		D map[int16]string
		E map[uint64]*Maps
		F map[float64]Text
		G map[Text][]int
		H map[[2]byte]Level
		I map[Point]bool
		J map[bool]map[string]int
	}
	Times struct {
		A time.Time
		B *time.Time
		C []time.Time
		D map[string]time.Time
	}
	Loose struct {
		A any
		B []any
		C map[string]any
		D *any
		E error
	}
	Nested struct {
		A []Nested
		B [2]*Nested
		C map[string]Nested
		D struct{ E, F []struct{ G int8 } }
	}
	Hooks struct {
		A Shout
		B *Shout
		C Pair
		D *Pair
		E Blob
		F Custom
		G *Custom
		H []Custom
		I map[string]Pair
		J msgpack.RawMessage
		K net.IP
		L *big.Int
		M netip.Addr
		N url.URL
		O Ext
		P *Ext
	}
	Wide struct { // more fields than bits in a word
		F00, F01, F02, F03, F04, F05, F06, F07, F08, F09, F10, F11, F12, F13, F14, F15, F16, F17 int8
		F18, F19, F20, F21, F22, F23, F24, F25, F26, F27, F28, F29, F30, F31, F32, F33, F34, F35 uint8
		F36, F37, F38, F39, F40, F41, F42, F43, F44, F45, F46, F47, F48, F49, F50, F51, F52, F53 string
		F54, F55, F56, F57, F58, F59, F60, F61, F62, F63, F64, F65, F66, F67, F68, F69, F70, F71 any
		F72                                                                                      int `msgpack:",omitempty"`
	}

	Shout  string              // text
	Blob   struct{ N byte }    // binary
	Pair   struct{ A, B int8 } // MarshalMsgpack
	Custom struct{ N int }     // EncodeMsgpack
	Ext    struct{ N byte }    // a registered extension
)

func (z Zeroer) IsZero() bool { return z.N == 7 }

func (s Shout) MarshalText() ([]byte, error)     { return []byte(s + "!"), nil }
func (s *Shout) UnmarshalText(text []byte) error { *s = Shout(text[:max(len(text)-1, 0)]); return nil }

func (b Blob) MarshalBinary() ([]byte, error) { return []byte{b.N}, nil }
func (b *Blob) UnmarshalBinary(data []byte) error {
	if len(data) != 1 {
		return errors.New("want one byte")
	}
	b.N = data[0]
	return nil
}

func (p Pair) MarshalMsgpack() ([]byte, error) { return msgpack.Marshal([]int8{p.A, p.B}) }
func (p *Pair) UnmarshalMsgpack(b []byte) error {
	var s [2]int8
	err := msgpack.Unmarshal(b, &s)
	p.A, p.B = s[0], s[1]
	return err
}

func (c *Custom) EncodeMsgpack(enc *msgpack.Encoder) error {
	return enc.Encode([]any{"custom", int64(c.N)})
}

func (c *Custom) DecodeMsgpack(dec *msgpack.Decoder) error {
	s, err := dec.DecodeSlice()
	if err != nil {
		return err
	}
	if len(s) != 2 {
		return errors.New("want two elements")
	}
	switch n := s[1].(type) {
	case int8:
		c.N = int(n)
	case uint8:
		c.N = int(n)
	}
	return nil
}

func init() {
	msgpack.RegisterExtEncoder(5, Ext{}, func(_ *msgpack.Encoder, v reflect.Value) ([]byte, error) {
		return []byte{v.Interface().(Ext).N}, nil
	})
	msgpack.RegisterExtDecoder(5, Ext{}, func(dec *msgpack.Decoder, v reflect.Value, n int) error {
		b := make([]byte, n)
		if err := dec.ReadFull(b); err != nil {
			return err
		}
		if n > 0 {
			v.Addr().Interface().(*Ext).N = b[0]
		}
		return nil
	})
}

// subjects are made when extensions are registered.
func subjects() []subject {
	return []subject{
		newSubject[Numbers](), newSubject[Strings](), newSubject[Tagged](), newSubject[Embeds](),
		newSubject[Arrayed](), newSubject[Maps](), newSubject[Times](), newSubject[Loose](),
		newSubject[Nested](), newSubject[Hooks](), newSubject[Wide](), newSubject[Node](),
		newSubject[any](), newSubject[[]any](), newSubject[map[string]any](), newSubject[*Numbers](),
		newSubject[[]Point](), newSubject[[3]Point](), newSubject[map[int]Point](), newSubject[string](),
		newSubject[[]byte](), newSubject[int8](), newSubject[uint32](), newSubject[float64](),
		newSubject[time.Time](), newSubject[Shout](), newSubject[Custom](), newSubject[Pair](), newSubject[Ext](),
	}
}

var defaults mpplan.Options

// What only v5's rules look at.
var _, _ = Tagged{}.n, Arrayed{}._msgpack
