package mpscan_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/mpscan"
	"github.com/vmihailenco/msgpack/v5"
)

// newDecoder returns a decoder of p, which is as Scan accepts it.
func newDecoder(t *testing.T, p string, extension bool) *msgpack.Decoder {
	t.Helper()
	s := new(mpscan.Scanner)
	if err := s.Scan([]byte(p)); err != nil {
		t.Fatalf("%x: %v", p, err)
	}
	r := new(mpscan.Reader)
	r.Reset([]byte(p), s, extension)
	return msgpack.NewDecoder(r)
}

// v5 does not get bytes that it would take for values but that Scan has not checked.
func TestReaderRefuses(t *testing.T) {
	decodeAny := func(dec *msgpack.Decoder) error { _, err := dec.DecodeInterface(); return err }
	for _, tt := range []struct {
		name, payload string
		read          func(dec *msgpack.Decoder) error
	}{
		{"extension where a map is expected", "\xd7\x05\xdf\xff\xff\xff\xff\x00\x00\x00", func(dec *msgpack.Decoder) error {
			_, err := dec.DecodeMap()
			return err
		}},
		{"the same with ext8", "\xc7\x05\x05\xdf\xff\xff\xff\xff", func(dec *msgpack.Decoder) error { return dec.Decode(&map[string]int{}) }},
		{"the same with ext32", "\xc9\x00\x00\x00\x05\x05\xdf\xff\xff\xff\xff", func(dec *msgpack.Decoder) error { return dec.Decode(&map[int]int{}) }},
		{"content of an extension", "\xd7\x05\xdd\xff\xff\xff\xff\x00\x00\x00", func(dec *msgpack.Decoder) error {
			_, _, err := dec.DecodeExtHeader()
			return errors.Join(err, decodeAny(dec))
		}},
		{"content of a bin", "\xc4\x06\xdd\xff\xff\xff\xff\x00", func(dec *msgpack.Decoder) error {
			_, err := dec.DecodeBytesLen()
			return errors.Join(err, decodeAny(dec))
		}},
		{"half of a bin", "\xc4\x08ab\xdd\xff\xff\xff\xff\x00", func(dec *msgpack.Decoder) error {
			_, err := dec.DecodeBytesLen()
			return errors.Join(err, dec.ReadFull(make([]byte, 2)), decodeAny(dec))
		}},
		{"half of a number", "\xcf\x00\xdd\xff\xff\xff\xff\x00\x00", func(dec *msgpack.Decoder) error {
			return errors.Join(dec.ReadFull(make([]byte, 2)), decodeAny(dec))
		}},
		{"half of a header", "\xdb\x00\x00\x00\x07\x91\xdd\xff\xff\xff\xff\x00"[:5] + strings.Repeat("a", 7), func(dec *msgpack.Decoder) error {
			return errors.Join(dec.ReadFull(make([]byte, 4)), decodeAny(dec), decodeAny(dec), dec.Skip(), dec.Skip(), dec.Skip(), dec.Skip(), dec.Skip(), dec.Skip(), dec.Skip())
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.read(newDecoder(t, tt.payload, false)); err == nil {
				t.Error("got no error")
			}
		})
	}
}

// Extensions in each other, whose contents are read as values: as many as there may be arrays in each other, and no more,
// or decoders that call themselves would take any amount of stack.
func TestReaderDepth(t *testing.T) {
	for n, ok := range map[int]bool{10: true, mpscan.MaxDepth: true, mpscan.MaxDepth + 2: false, 5000: false} {
		payload := []byte{7}
		for range n {
			payload = append(binary.BigEndian.AppendUint32([]byte{0xc9}, uint32(len(payload))), append([]byte{5}, payload...)...)
		}
		dec := newDecoder(t, string(payload), true)
		var read func() error
		read = func() error {
			if code, err := dec.PeekCode(); err != nil || code == 7 {
				return err
			}
			if _, _, err := dec.DecodeExtHeader(); err != nil {
				return err
			}
			return read()
		}
		if err := read(); (err == nil) != ok {
			t.Errorf("%d levels: %v", n, err)
		}
	}
}

// What is there in full can be read in any way.
func TestReaderAccepts(t *testing.T) {
	for _, tt := range []struct {
		name, payload string
		extension     bool
		read          func(dec *msgpack.Decoder) (any, error)
		want          string
	}{
		{"any", "\x82\xa1a\x93\x01\xcc\xff\xcd\x01\x00\xa1b\xd9\x01x", false, func(dec *msgpack.Decoder) (any, error) { return dec.DecodeInterface() }, "map[a:[1 255 256] b:x]"},
		{"raw", "\x92\xd4\x05\xc0\xd7\xff\xdf\xff\xff\xff\x00\x00\x00\x00", false, func(dec *msgpack.Decoder) (any, error) {
			raw, err := dec.DecodeRaw()
			return []byte(raw), err
		}, "[146 212 5 192 215 255 223 255 255 255 0 0 0 0]"},
		{"time like a map", "\xd7\xff\xdf\xdf\xff\xff\xff\x00\x00\x00", false, func(dec *msgpack.Decoder) (any, error) {
			tm, err := dec.DecodeTime()
			return tm.Unix(), err
		}, "17163091968"},
		{"values in an extension", "\xd5\x05\x91\x07", false, func(dec *msgpack.Decoder) (any, error) {
			dec.DecodeExtHeader()
			return dec.DecodeInterface()
		}, "[7]"},
		{"map in an extension with a decoder", "\xc7\x04\x05\x81\xa1k\x07", true, func(dec *msgpack.Decoder) (any, error) {
			dec.DecodeExtHeader()
			return dec.DecodeMap()
		}, "map[k:7]"},
		{"values in a bin", "\xc4\x02\x91\x07", false, func(dec *msgpack.Decoder) (any, error) {
			dec.DecodeBytesLen()
			return dec.DecodeInterface()
		}, "[7]"},
		{"peek and skip", "\x92\xd1\x01\x02\xa1x", false, func(dec *msgpack.Decoder) (any, error) {
			dec.PeekCode()
			dec.DecodeArrayLen()
			dec.PeekCode()
			dec.Skip()
			return dec.DecodeString()
		}, "x"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v, err := tt.read(newDecoder(t, tt.payload, tt.extension))
			if err != nil || fmt.Sprint(v) != tt.want {
				t.Errorf("got %v, %v, want %s", v, err, tt.want)
			}
		})
	}
}
