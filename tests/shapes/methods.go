package shapes

import (
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/vmihailenco/msgpack/v5"
)

// Types that encode and decode themselves.
type (
	Money   struct{ Units, Cents int64 } // EncodeMsgpack
	Version struct{ Major, Minor uint8 } // MarshalText
	Hash    struct{ sum [20]byte }       // MarshalBinary
	Pair    struct{ A, B int64 }         // MarshalMsgpack
)

func (m *Money) EncodeMsgpack(enc *msgpack.Encoder) error {
	if err := enc.EncodeArrayLen(2); err != nil {
		return err
	}
	return errors.Join(enc.EncodeInt(m.Units), enc.EncodeInt(m.Cents))
}

func (m *Money) DecodeMsgpack(dec *msgpack.Decoder) error {
	n, err := dec.DecodeArrayLen()
	if err != nil {
		return err
	}
	if n != 2 {
		return fmt.Errorf("array of %d, want 2", n)
	}
	if m.Units, err = dec.DecodeInt64(); err == nil {
		m.Cents, err = dec.DecodeInt64()
	}
	return err
}

func (v Version) MarshalText() ([]byte, error) {
	return strconv.AppendUint(append(strconv.AppendUint(nil, uint64(v.Major), 10), '.'), uint64(v.Minor), 10), nil
}

func (v *Version) UnmarshalText(text []byte) error {
	major, minor, _ := strings.Cut(string(text), ".")
	a, err := strconv.ParseUint(major, 10, 8)
	if err != nil {
		return err
	}
	b, err := strconv.ParseUint(minor, 10, 8)
	v.Major, v.Minor = uint8(a), uint8(b)
	return err
}

func (h Hash) MarshalBinary() ([]byte, error) { return h.sum[:], nil }

func (h *Hash) UnmarshalBinary(data []byte) error {
	if copy(h.sum[:], data) != len(h.sum) {
		return fmt.Errorf("hash of %d bytes, want %d", len(data), len(h.sum))
	}
	return nil
}

func (p Pair) MarshalMsgpack() ([]byte, error) { return msgpack.Marshal([]int64{p.A, p.B}) }

func (p *Pair) UnmarshalMsgpack(b []byte) error {
	var s []int64
	if err := msgpack.Unmarshal(b, &s); err != nil {
		return err
	}
	if len(s) != 2 {
		return fmt.Errorf("%d numbers, want 2", len(s))
	}
	p.A, p.B = s[0], s[1]
	return nil
}

func methods() []Shape {
	money := func(i int) Money { return Money{int64(i), int64(i % 100)} }
	raw, err := msgpack.Marshal(map[string]string{"a": "b", "c": "d"})
	if err != nil {
		panic(err)
	}
	return []Shape{
		of("EncodeMsgpack", Money{12, 50}),
		of("EncodeMsgpack, in a struct", struct {
			ID          uint64
			Price, Fees Money
			Note        string
		}{1, Money{12, 50}, Money{1, 5}, "note"}),
		of("EncodeMsgpack, []T of 100", list(100, money)),
		of("EncodeMsgpack, []*T of 100", list(100, func(i int) *Money { m := money(i); return &m })),
		of("MarshalMsgpack", Pair{1, -70000}),
		of("MarshalMsgpack, []T of 100", list(100, func(i int) Pair { return Pair{int64(i), 1} })),
		of("MarshalText", Version{1, 25}),
		of("MarshalText, []T of 100", list(100, func(i int) Version { return Version{1, uint8(i)} })),
		of("MarshalBinary", Hash{[20]byte{1, 2, 3}}),
		of("MarshalBinary, []T of 100", list(100, func(i int) Hash { return Hash{[20]byte{byte(i)}} })),
		of("netip.Addr", netip.MustParseAddr("10.1.2.3")),
		of("[]netip.Addr of 100", list(100, addr)),
		of("net.IP", net.IPv4(10, 1, 2, 3)),
		of("*big.Int", big.NewInt(1<<60)),
		of("url.URL", url.URL{Scheme: "https", Host: "example.com", Path: "/a/b", RawQuery: "c=d"}),
		of("msgpack.RawMessage", msgpack.RawMessage(raw)),
		of("error, in a struct", struct{ Err error }{errors.New("no such file")}),
	}
}
