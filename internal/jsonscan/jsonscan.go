// Package jsonscan checks JSON payloads for what encoding/json would accept or
// change without an error.
//
// [Scan] adds five rules to those of RFC 8259: the text is UTF-8, every escaped
// surrogate is one half of a pair, no white space follows the value, nesting
// is at most [MaxDepth] levels deep, and no key is twice in an object. encoding/json puts
// U+FFFD in the place of what breaks the first two, skips the white space, follows 10,000
// levels, and takes the last value of a key.
// Scan also tells a payload that ends inside of a string, an array or an object
// from other bad ones: its error wraps io.ErrUnexpectedEOF. [Truncated] does the
// same for payloads that end elsewhere.
//
// Scan is not a parser. It knows as much of the grammar as it takes to tell
// strings from the rest, so it accepts brackets that do not match, numbers and
// literals that are none, several values, and control characters in strings. The decoder, encoding/json here, must
// still check the grammar. What is valid JSON and keeps the four rules is never
// refused.
//
// The texts of errors begin with "json: ", as those of encoding/json do, because
// users see both in the same place.
package jsonscan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// MaxDepth is how many arrays and objects may be open inside each other.
const MaxDepth = 100

// Scan refuses b if it is empty, ends in white space or inside of a string, an
// array or an object, is nested deeper than MaxDepth, is not UTF-8, or has a
// lone surrogate among its escapes, or a key twice in an object. It does not recurse,
// takes time in proportion to len(b), but for sorting the keys of large objects, and
// allocates nothing but the error, whose text is short however long b is, and memory for
// keys that it uses again.
func Scan(b []byte) error {
	k := keysPool.Get().(*keys)
	err := scan(b, k)
	k.release()
	return err
}

// ScanFolded is Scan, and reports besides whether there may be an object with keys that differ
// in case only, as bytes.EqualFold has it: a struct takes them for one.
func ScanFolded(b []byte) (alike bool, err error) {
	k := keysPool.Get().(*keys)
	k.folded = true
	err = scan(b, k)
	alike = k.alike
	k.release()
	return alike, err
}

// ScanUnique is Scan for a b in which no key can be twice.
func ScanUnique(b []byte) error { return scan(b, nil) }

// scan is Scan. k is nil where keys are not looked at.
func scan(b []byte, k *keys) error {
	if len(b) == 0 {
		return fmt.Errorf("json: empty payload, want one value: %w", io.ErrUnexpectedEOF)
	}
	if last := len(b) - 1; b[last] == ' ' || b[last] == '\t' || b[last] == '\r' || b[last] == '\n' {
		return fmt.Errorf("json: trailing white space %q at byte %d, want none", b[last], last)
	}
	// Outside of strings, what is not UTF-8 is not JSON either.
	if !utf8.Valid(b) {
		return errors.New("json: payload is not UTF-8")
	}
	// A count is enough: that each bracket closes one of its own kind, and that
	// the count never falls below zero, is grammar.
	depth := 0
	member := false // a string that comes next would be the key of a member
	for i := 0; i < len(b); i++ {
		if !structural[b[i]] {
			continue
		}
		switch b[i] {
		case '[', '{':
			if depth++; depth > MaxDepth {
				return fmt.Errorf("json: %q at byte %d is nested deeper than %d levels", b[i], i, MaxDepth)
			}
			if k != nil {
				member = b[i] == '{'
				k.begin(member)
			}
		case ']', '}':
			depth--
			if k != nil {
				member = false
				if err := k.end(i); err != nil {
					return err
				}
			}
		case ',':
			member = k != nil && k.inObject()
		case '"': // brackets in a string do not count
			end, escaped, err := skipString(b, i)
			if err != nil {
				return err
			}
			if member {
				member = false
				if err := k.add(b, i+1, end, escaped); err != nil {
					return err
				}
			}
			i = end
		}
	}
	if depth > 0 {
		return fmt.Errorf("json: %d arrays or objects are open at the end, byte %d: %w", depth, len(b), io.ErrUnexpectedEOF)
	}
	return nil
}

// structural are the bytes that mean something to scan, outside of strings.
var structural = func() (s [256]bool) {
	for _, c := range "[]{}," {
		s[c] = true
	}
	s['"'] = true
	return s
}()

// skipString returns the offset of the quote that closes the string whose first
// one is at start, and whether there are escapes in it.
func skipString(b []byte, start int) (end int, escaped bool, err error) {
	for i := start + 1; i < len(b); i++ {
		switch b[i] {
		case '"':
			return i, escaped, nil
		case '\\':
			escaped = true
			// Each case leaves i on the last byte of the escape: a quote or a
			// backslash that belongs to it must not be seen as one of its own.
			r, ok := hexEscape(b[i:])
			switch {
			case !ok:
				i++ // the escaped character; whether there is such an escape is grammar
			case r&0xfc00 == 0xd800: // the first half of a pair
				second, ok := hexEscape(b[i+6:])
				if !ok || second&0xfc00 != 0xdc00 {
					return 0, false, fmt.Errorf("json: lone surrogate %s at byte %d", b[i:i+6], i)
				}
				i += 11
			case r&0xfc00 == 0xdc00: // a second half; the first would have skipped it
				return 0, false, fmt.Errorf("json: lone surrogate %s at byte %d", b[i:i+6], i)
			default:
				i += 5
			}
		}
	}
	return 0, false, fmt.Errorf("json: string at byte %d is not closed at the end, byte %d: %w", start, len(b), io.ErrUnexpectedEOF)
}

// hexEscape reads an escape of the form \u12ab at the beginning of b. ok is false
// for everything else, such as an escape that is cut short.
func hexEscape(b []byte) (r uint16, ok bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	for _, c := range b[2:6] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | uint16(c)
	}
	return r, true
}

// HasReplacement reports whether there may be a U+FFFD in what encoding/json has written: as
// it is, or as an escape, which may be escaped itself (in a string in a string).
func HasReplacement(b []byte) bool {
	return bytes.Contains(b, []byte("\uFFFD")) || bytes.Contains(b, []byte(`\ufffd`))
}

// Truncated reports whether b is the beginning of a value, to be asked for a
// payload that json.Unmarshal has refused for its syntax. Unmarshal does not
// tell whether more bytes would have mended it; a json.Decoder does. It parses b
// again, and copies it.
func Truncated(b []byte) bool {
	var raw json.RawMessage
	return json.NewDecoder(bytes.NewReader(b)).Decode(&raw) == io.ErrUnexpectedEOF
}
