package mpscan

import (
	"fmt"
	"io"
	"unicode/utf8"
)

// short reports a payload that ends before something that it announces.
type short struct {
	what  string // the value's kind or format
	unit  string // of count; empty where the format alone says how much follows
	count uint32 // announced
	at    int    // offset of the value, bytes
	need  int    // bytes that the format needs after its first one, if unit is empty
	left  int    // bytes that are there
}

func (e short) Error() string {
	switch {
	case e.unit != "":
		return fmt.Sprintf("%s of %d %s at byte %d, but %d bytes are left", e.what, e.count, e.unit, e.at, e.left)
	case e.need > 0:
		return fmt.Sprintf("%s at byte %d needs %d more bytes, but %d are left", e.what, e.at, e.need, e.left)
	case e.at == 0:
		return "empty payload, want one value"
	default:
		return fmt.Sprintf("payload ends at byte %d, where another value is expected", e.at)
	}
}

func (e short) Unwrap() error { return io.ErrUnexpectedEOF }

func trailing(end, size int) error {
	return fmt.Errorf("value ends at byte %d of %d: %d trailing bytes, want none", end, size, size-end)
}

func tooDeep(what string, at int) error {
	return fmt.Errorf("%s at byte %d is nested deeper than %d levels", what, at, MaxDepth)
}

func reserved(c byte, at int) error {
	return fmt.Errorf("byte %#02x at byte %d begins no value", c, at)
}

func interned(at int) error {
	return fmt.Errorf("extension of type %d at byte %d: interned strings are not supported", internedString, at)
}

// notUTF8 finds the byte that makes b, the content of the str at offset at, invalid.
func notUTF8(b []byte, at int) error {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n <= 1 {
			return fmt.Errorf("str at byte %d is not UTF-8: byte %#02x at its offset %d of %d", at, b[i], i, len(b))
		}
		i += n
	}
	return fmt.Errorf("str at byte %d is not UTF-8", at)
}
