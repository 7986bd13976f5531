package mpplan_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/mpplan"
)

// Order is what the documentation takes as its example.
type Order struct {
	ID    uint64
	Side  uint8
	Qty   int64
	Price float64
	Ratio float32
	Name  string
	Tags  []uint8s
	Codes []int8
	Pair  [2]int16
	Note  map[string]int8
	By    map[int]uint16
	Next  *Order
	Any   any
	Opt   `msgpack:"opt"`
}

type uint8s []uint16

func TestErrors(t *testing.T) {
	order := newSubject[Order]()
	for _, tt := range []struct{ name, payload, want string }{
		{"too large", "\x81\xa4Side\xcd\x01\x2c", "Order.Side: 300 overflows uint8"},
		{"negative", "\x81\xa2ID\xff", "Order.ID: -1 overflows uint64"},
		{"beyond int64", "\x81\xa3Qty\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "Order.Qty: 18446744073709551615 overflows int64"},
		{"too small", "\x81\xa5Codes\x92\x01\xd1\xff\x00", "Order.Codes[1]: -256 overflows int8"},
		{"in an array", "\x81\xa4Pair\x92\x01\xcd\xff\xff", "Order.Pair[1]: 65535 overflows int16"},
		{"in a slice of slices", "\x81\xa4Tags\x92\x90\x92\x01\xce\x00\x01\x00\x00", "Order.Tags[1][1]: 65536 overflows uint16"},
		{"in a map", "\x81\xa4Note\x81\xa1k\xcc\xff", `Order.Note["k"]: 255 overflows int8`},
		{"in a map with numbers", "\x81\xa2By\x82\x01\x02\x07\xff", "Order.By[7]: -1 overflows uint16"},
		{"key", "\x81\xa2By\x82\x01\x02\xa1x\xff", "Order.By key 1: fixstr where an integer is expected"},
		{"behind a pointer", "\x81\xa4Next\x81\xa4Next\x81\xa4Side\xcd\x01\x00", "Order.Next.Next.Side: 256 overflows uint8"},
		{"float for an integer", "\x81\xa3Qty\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00", "Order.Qty: float64 where an integer is expected"},
		{"integer that is no float64", "\x81\xa5Price\xcf\x00\x20\x00\x00\x00\x00\x00\x01", "Order.Price: 9007199254740993 is no float64"},
		{"integer that is no float32", "\x81\xa5Ratio\xd2\xfe\xff\xff\xff", "Order.Ratio: -16777217 is no float32"},
		{"float64 for a float32", "\x81\xa5Ratio\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00", "Order.Ratio: float64 where an integer is expected"},
		{"string", "\x81\xa4Name\xa2a\xff", "Order.Name: string of 2 bytes is not UTF-8: byte 0xff at offset 1"},
		{"bin for a string", "\x81\xa4Name\xc4\x01\xff", "Order.Name: string of 1 bytes is not UTF-8: byte 0xff at offset 0"},
		{"twice", "\x82\xa4Side\x01\xa4Side\x01", "Order.Side: field is there twice"},
		{"twice, at last in its place", "\x83\xa4Side\x01\xa2ID\x01\xa4Side\x01", "Order.Side: field is there twice"},
		{"twice, once by the struct it is embedded in", "\x82\xa1a\x01\xa3opt\x81\xa1a\x02", "Order.Opt: field is there twice"},
		{"twice, in the other order", "\x82\xa3opt\x81\xa1a\x02\xa1a\x01", "Order.A: field is there twice"},
		{"key twice", "\x81\xa4Note\x82\xa1k\x01\xa1k\x02", "Order.Note: map of 2 entries has 1 different keys"},
		{"key twice in an any", "\x81\xa3Any\x82\xa1k\x01\xa1k\x02", "Order.Any: map of 2 entries has 1 different keys"},
		{"key twice, in two formats", "\x81\xa2By\x82\x01\x01\xcc\x01\x01", "Order.By: map of 2 entries has 1 different keys"},
		{"inside an any", "\x81\xa3Any\x92\xc0\x81\xa1k\xa1\xff", `Order.Any[1]["k"]: string of 1 bytes is not UTF-8`},
		{"unknown field", "\x81\xa1Z\xa1\xff", "Order[\"Z\"]: str at byte 3 is not UTF-8"},
		{"name", "\x81\x01\x01", "Order: positive fixint where the name of a field is expected"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := order.decode([]byte(tt.payload), defaults)
			if err == nil || !strings.HasPrefix(err.Error(), "msgpack: "+tt.want) {
				t.Errorf("got  %v\nwant msgpack: %s", err, tt.want)
			}
		})
	}
}

// Whatever is missing at the end, and announced but not there, is io.ErrUnexpectedEOF.
func TestShort(t *testing.T) {
	for _, s := range subjects() {
		for _, p := range []string{
			"", "\xdd\xff\xff\xff\xff", "\xdf\xff\xff\xff\xff\x00", "\xdc\x00", "\xde\x00", "\xc6\xff\xff\xff\xff12",
			"\xdb\x00", "\xa5abc", "\xcf\x00", "\xd3\x00", "\xca\x00", "\xcb\x00", "\xd7\xff\x00", "\xc7", "\xc7\x05", "\xc9\xff\xff\xff\xff\xff",
			"\x92", "\x81", "\x81\xa1A", "\x81\xa1unknown", "\x81\xa1Z\x92\x01",
		} {
			_, err := s.decode([]byte(p), defaults)
			if err == nil || errors.Is(err, io.EOF) {
				t.Errorf("%v from %x: got error %v", s.typ, p, err)
			}
			if strings.Contains(err.Error(), "left") || strings.Contains(err.Error(), "ends at byte") && !strings.Contains(err.Error(), "trailing") {
				if !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("%v from %x: %v is not io.ErrUnexpectedEOF", s.typ, p, err)
				}
			}
		}
	}
}

// Elements count with their size before they are allocated.
func TestExpansion(t *testing.T) {
	type large struct{ Data [1024]byte }
	zeros := "\xdd\x00\x01\x00\x00" + strings.Repeat("\x80", 1<<16)
	for _, tt := range []struct {
		s       subject
		payload string
		want    bool // enough memory by default
	}{
		{newSubject[[]large](), zeros, false},
		{newSubject[[]*large](), zeros, false},
		{newSubject[map[int]large](), "\x90"[:0] + "\xde\x10\x00" + strings.Repeat("\x01\x80", 1<<12), false},
		{newSubject[any](), zeros, false},
		{newSubject[any](), strings.ReplaceAll(zeros, "\x80", "\x90"), true},
		{newSubject[any](), strings.ReplaceAll(zeros, "\x80", "\x01"), true},
		{newSubject[[]int](), strings.ReplaceAll(zeros, "\x80", "\x01"), true},
		{newSubject[[]byte](), "\xc6\x00\x01\x00\x00" + strings.Repeat("x", 1<<16), true},
		{newSubject[[]large](), "\x9f" + strings.Repeat("\x80", 15), true},
	} {
		_, err := tt.s.decode([]byte(tt.payload), defaults)
		if refused := err != nil && strings.Contains(err.Error(), "MaxExpansion"); refused == tt.want || tt.want && err != nil {
			t.Errorf("%v from %d bytes: got %v, want success: %v", tt.s.typ, len(tt.payload), err, tt.want)
		}
	}
	if _, err := newSubject[[]large]().decode([]byte(zeros), mpplan.Options{Expansion: 2000}); err != nil {
		t.Errorf("with more expansion: got %v", err)
	}
}
