package mpscan_test

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/mpscan"
	"github.com/vmihailenco/msgpack/v5"
)

// nested is n arrays of one element inside each other, the innermost empty.
func nested(n int) string {
	return strings.Repeat("\x91", n-1) + "\x90"
}

var accepted = []struct {
	name, payload string
}{
	{name: "nil", payload: "\xc0"},
	{name: "false", payload: "\xc2"},
	{name: "true", payload: "\xc3"},
	{name: "fixint", payload: "\x7f"},
	{name: "negative fixint", payload: "\xe0"},
	{name: "uint8", payload: "\xcc\xff"},
	{name: "uint16", payload: "\xcd\xff\xff"},
	{name: "uint32", payload: "\xce\xff\xff\xff\xff"},
	{name: "uint64", payload: "\xcf" + strings.Repeat("\xff", 8)},
	{name: "int8", payload: "\xd0\x80"},
	{name: "int16", payload: "\xd1\x80\x00"},
	{name: "int32", payload: "\xd2\x80\x00\x00\x00"},
	{name: "int64", payload: "\xd3\x80" + strings.Repeat("\x00", 7)},
	{name: "float32", payload: "\xca\x00\x00\x00\x00"},
	{name: "float64", payload: "\xcb" + strings.Repeat("\x00", 8)},
	{name: "empty fixstr", payload: "\xa0"},
	{name: "fixstr", payload: "\xa5hello"},
	{name: "fixstr of 8 bytes and more to come", payload: "\x92\xa8abcdefgh\xc3"},
	{name: "fixstr before bytes that are not ASCII", payload: "\x9a\xa1a\xff\xff\xff\xff\xff\xff\xff\xff\xff"},
	{name: "fixstr not ASCII", payload: "\xa8żółć"},
	{name: "str8", payload: "\xd9\x20" + strings.Repeat("x", 32)},
	{name: "str16", payload: "\xda\x01\x00" + strings.Repeat("x", 256)},
	{name: "str32", payload: "\xdb\x00\x00\x00\x02hi"},
	{name: "bin8", payload: "\xc4\x01\xff"},
	{name: "bin16", payload: "\xc5\x00\x01\xff"},
	{name: "bin32", payload: "\xc6\x00\x00\x00\x01\xff"},
	{name: "empty array", payload: "\x90"},
	{name: "fixarray", payload: "\x93\x01\x90\x02"},
	{name: "array16", payload: "\xdc\x00\x02\x01\x02"},
	{name: "array32", payload: "\xdd\x00\x00\x00\x01\xc0"},
	{name: "empty map", payload: "\x80"},
	{name: "fixmap", payload: "\x82\xa1a\x01\xa1b\x80"},
	{name: "map16", payload: "\xde\x00\x01\x01\x02"},
	{name: "map32", payload: "\xdf\x00\x00\x00\x01\x01\x02"},
	{name: "deepest", payload: nested(mpscan.MaxDepth)},
	{name: "timestamp 32", payload: "\xd6\xff\x65\x00\x00\x00"},
	{name: "timestamp 96", payload: "\xc7\x0c\xff" + strings.Repeat("\x00", 12)},
	{name: "empty extension", payload: "\xc7\x00\x05"},
	{name: "fixext1", payload: "\xd4\x05\x01"},
	{name: "fixext2", payload: "\xd5\x05\x01\x01"},
	{name: "fixext16", payload: "\xd8\x05" + strings.Repeat("\x01", 16)},
	{name: "ext16", payload: "\xc8\x00\x01\x05\x01"},
	{name: "ext32", payload: "\xc9\x00\x00\x00\x01\x05\x01"},
	{
		name:    "extensions that look like maps",
		payload: "\x95\xd4\x05\x80\xc7\x05\x05\xdf\xff\xff\xff\xff\xd4\x05\x90\xd4\x05\xc0\xd6\xff\xde\x00\x00\x00",
	},
}

func TestScanAccepts(t *testing.T) {
	var s mpscan.Scanner
	for _, tt := range accepted {
		t.Run(tt.name, func(t *testing.T) {
			if err := s.Scan([]byte(tt.payload)); err != nil {
				t.Fatalf("got error %v", err)
			}
		})
	}
}

// Every beginning of a value is refused as a truncation, and every value with a
// byte after it as one with trailing bytes.
func TestScanEveryCut(t *testing.T) {
	var s mpscan.Scanner
	for _, tt := range accepted {
		for n := range tt.payload {
			if err := s.Scan([]byte(tt.payload[:n])); !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
				t.Errorf("%s cut to %d bytes: got %v, want io.ErrUnexpectedEOF", tt.name, n, err)
			}
		}
		if err := s.Scan([]byte(tt.payload + "\xc0")); err == nil || !strings.Contains(err.Error(), "1 trailing bytes") {
			t.Errorf("%s and nil: got %v, want trailing bytes", tt.name, err)
		}
	}
}

func TestScanRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, payload, want string
		eof                 bool
	}{
		{"empty", "", "empty payload, want one value", true},
		{"array32 of 4 G", "\xdd\xff\xff\xff\xff", "array of 4294967295 elements at byte 0, but 0 bytes are left", true},
		{"array inside", "\x92\xc0\xdc\x00\x02\x01", "array of 2 elements at byte 2, but 1 bytes are left", true},
		{"map32 of 4 G", "\xdf\xff\xff\xff\xff\x00\x00", "map of 4294967295 entries at byte 0, but 2 bytes are left", true},
		{"map with half an entry", "\x81\x01", "map of 1 entries at byte 0, but 1 bytes are left", true},
		{"bin32 of 4 GiB", "\xc6\xff\xff\xff\xff12345", "bin of 4294967295 bytes at byte 0, but 5 bytes are left", true},
		{"str32 of 4 GiB", "\xdb\xff\xff\xff\xff12345", "str of 4294967295 bytes at byte 0, but 5 bytes are left", true},
		{"ext32 of 4 GiB", "\xc9\xff\xff\xff\xff\x0512345", "extension of 4294967295 bytes at byte 0, but 5 bytes are left", true},
		{"fixstr", "\xa5hell", "str of 5 bytes at byte 0, but 4 bytes are left", true},
		{"half a number", "\x91\xce\x00\x00", "uint32 at byte 1 needs 4 more bytes, but 2 are left", true},
		{"half a length", "\xdb\x00", "str32 at byte 0 needs 4 more bytes, but 1 are left", true},
		{"missing element", "\x92\xa1a", "payload ends at byte 3, where another value is expected", true},
		{"trailing", "\x01\x02\x03", "value ends at byte 1 of 3: 2 trailing bytes, want none", false},
		{"reserved", "\x91\xc1", "byte 0xc1 at byte 1 begins no value", false},
		{"too deep", nested(mpscan.MaxDepth + 1), "array at byte 100 is nested deeper than 100 levels", false},
		{"too deep by maps", strings.Repeat("\x81\x01", 100) + "\x80", "map at byte 200 is nested deeper than 100 levels", false},
		{"arrays of 5 MB", nested(5 << 20), "array at byte 100 is nested deeper than 100 levels", false},
		{"interned string", "\xd4\x80\x00", "extension of type -128 at byte 0: interned strings are not supported", false},
		{"fixstr not UTF-8", "\xa3ab\xff", "str at byte 0 is not UTF-8: byte 0xff at its offset 2 of 3", false},
		{"str8 not UTF-8", "\x91\xd9\x02\xc3\x28", "str at byte 1 is not UTF-8: byte 0xc3 at its offset 0 of 2", false},
		{"surrogate", "\xa3\xed\xa0\x80", "str at byte 0 is not UTF-8: byte 0xed at its offset 0 of 3", false},
		{"key not UTF-8", "\x81\xa1\xff\x01", "str at byte 1 is not UTF-8: byte 0xff at its offset 0 of 1", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var s mpscan.Scanner
			err := s.Scan([]byte(tt.payload))
			if err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %v", err, tt.want)
			}
			if got := errors.Is(err, io.ErrUnexpectedEOF); got != tt.eof {
				t.Errorf("is io.ErrUnexpectedEOF: got %v, want %v", got, tt.eof)
			}
		})
	}
}

func TestScanAllowInvalidUTF8(t *testing.T) {
	s := mpscan.Scanner{AllowInvalidUTF8: true}
	for _, payload := range []string{"\xa1\xff", "\xd9\x01\xff"} {
		if err := s.Scan([]byte(payload)); err != nil {
			t.Errorf("%x: got error %v", payload, err)
		}
	}
}

func TestScanDoesNotAllocate(t *testing.T) {
	var s mpscan.Scanner
	payload := []byte("\x82\xa4name\xa3abc\xa4when\xd7\xff\x80\x00\x00\x00\x00\x00\x00\x00")
	if n := testing.AllocsPerRun(100, func() {
		if err := s.Scan(payload); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("got %v allocations, want 0", n)
	}
}

// FuzzScan compares Scan with the decoder it guards: what Scan accepts is one
// value for v5 as well, and v5 accepts no value that Scan refuses but for depth
// and interned strings.
func FuzzScan(f *testing.F) {
	for _, tt := range accepted {
		f.Add([]byte(tt.payload))
	}
	f.Add([]byte(nested(mpscan.MaxDepth + 1)))
	f.Add([]byte("\xdd\xff\xff\xff\xff\x00"))
	f.Add([]byte("\x81\xa1a\xd4\x80\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := mpscan.Scanner{AllowInvalidUTF8: true}
		err := s.Scan(b)
		r := bytes.NewReader(b)
		skip := msgpack.NewDecoder(r).Skip()
		switch one := skip == nil && r.Len() == 0; {
		case err == nil && !one:
			t.Errorf("Scan accepts %x, v5 reports %v with %d bytes left", b, skip, r.Len())
		case strconv.IntSize == 32 && one && bytes.Contains(b, []byte{0xff, 0xff, 0xff, 0xff}): // which v5 takes for nil there
		case err != nil && one && !strings.Contains(err.Error(), "deeper") && !strings.Contains(err.Error(), "interned"):
			t.Errorf("v5 accepts %x, Scan reports %v", b, err)
		}
	})
}

func BenchmarkScan(b *testing.B) {
	payload, err := msgpack.Marshal(map[string]any{
		"id": uint32(123456789), "symbol": "AAPL.US", "side": int8(1), "price": 187.25, "qty": int16(-1500),
		"client": "client-0042", "tags": []string{"algo", "twap", "eu"}, "ts": int64(1732350000000000000),
	})
	if err != nil {
		b.Fatal(err)
	}
	var s mpscan.Scanner
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Scan(payload); err != nil {
			b.Fatal(err)
		}
	}
}
