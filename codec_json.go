package qsocket

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"unicode/utf8"

	"github.com/fb9bb4ed/qsocket/internal/schema"
)

// JSON encodes values as JSON (RFC 8259) with encoding/json: for debugging, and
// for peers that speak nothing else. It is the slowest codec of this package.
//
// A payload is one JSON value without a newline after it. The characters <, >
// and & are sent as they are; encoding/json would escape them for HTML, which a
// socket is not.
//
// # Evolution
//
// Fields are matched by name, if need be without regard to case. One that only
// the sender has is skipped, one that only the receiver has is zero.
//
// # What arrives changed
//
// In an any, numbers arrive as float64 (integers beyond 2⁵³ lose digits), slices
// as []any, structs and maps as map[string]any. A time.Time loses its monotonic
// clock and the name of its zone. An array longer than the receiver's is cut.
//
// # Errors
//
// The decoder refuses an empty payload, one that ends too early
// (io.ErrUnexpectedEOF), anything after the value, white space included, nesting
// deeper than 100 levels, text that is not UTF-8 and lone surrogates. The encoder
// refuses strings that are not UTF-8: encoding/json would send U+FFFD in their
// place. It knows them by the escape \ufffd, so a MarshalJSON or json.RawMessage
// that writes this escape is refused too; the character itself is not. A number
// that does not fit its field is an error.
//
// # Trust
//
// JSON is safe with strangers up to memory in proportion to the payload: a
// payload of n bytes can hold n/2 elements, each as large as the receiver's
// element type. In an any or a recursive type that can be more than 100 times the
// payload. Keep MaxFrame small where T has them or where elements are large.
func JSON[T any]() Codec[T] { return jsonCodec[T]{} }

// jsonMaxDepth is how many arrays and objects may be open inside each other.
// encoding/json itself allows 10,000.
const jsonMaxDepth = 100

type jsonCodec[T any] struct{}

func (jsonCodec[T]) Name() string           { return "json" }
func (jsonCodec[T]) Stateless() bool        { return true }
func (jsonCodec[T]) Schema() string         { return schema.JSON(reflect.TypeFor[T]()) }
func (jsonCodec[T]) NewDecoder() Decoder[T] { return &jsonDecoder[T]{} }

func (jsonCodec[T]) NewEncoder() Encoder[T] {
	e := &jsonEncoder[T]{}
	e.enc = json.NewEncoder(&e.buf)
	e.enc.SetEscapeHTML(false)
	return e
}

// jsonEncoder keeps one json.Encoder, which is left as it was by an error of a
// value; only an error of its writer would stay, and buf has none.
type jsonEncoder[T any] struct {
	enc *json.Encoder
	buf appender
	v   T // the value being encoded; here it costs no allocation of its own
}

func (e *jsonEncoder[T]) Append(dst []byte, v T) ([]byte, error) {
	var zero T
	e.buf, e.v = dst, v
	err := e.enc.Encode(&e.v)
	b := []byte(e.buf)
	e.buf, e.v = nil, zero
	if err != nil {
		return dst, err
	}
	b = b[:len(b)-1] // the newline that ends what a json.Encoder writes
	if at := replacementEscape(b[len(dst):]); at >= 0 {
		return dst, fmt.Errorf("json: string with a byte that is not UTF-8, escaped as \\ufffd at byte %d", at)
	}
	// The peer would refuse the same, and end the connection for it.
	if err := checkJSON(b[len(dst):]); err != nil {
		return dst, err
	}
	return b, nil
}

// replacementEscape finds \ufffd, in any case, outside of a longer run of
// backslashes that makes it text; -1 if there is none.
func replacementEscape(b []byte) int {
	for from := 0; ; {
		i := bytes.Index(b[from:], []byte(`\u`))
		if i < 0 {
			return -1
		}
		i += from
		first := i // of the backslashes before the u
		for first > 0 && b[first-1] == '\\' {
			first--
		}
		if (i-first)%2 == 0 && len(b)-i >= 6 && bytes.EqualFold(b[i+2:i+6], []byte("fffd")) {
			return i
		}
		from = i + 2
	}
}

type jsonDecoder[T any] struct{ scratch *T }

func (d *jsonDecoder[T]) Decode(payload []byte) (T, error) {
	return decodeNew(d, &d.scratch, payload)
}

func (d *jsonDecoder[T]) decodeInto(payload []byte, v *T) error {
	if err := checkJSON(payload); err != nil {
		return err
	}
	if err := json.Unmarshal(payload, v); err != nil {
		return truncatedJSON(payload, err)
	}
	return nil
}

// checkJSON refuses what encoding/json would accept or change without a word.
// It knows as much of the grammar as it takes to tell strings from the rest;
// encoding/json checks all of it.
func checkJSON(b []byte) error {
	if len(b) == 0 {
		return fmt.Errorf("json: empty payload, want one value: %w", io.ErrUnexpectedEOF)
	}
	if last := len(b) - 1; b[last] == ' ' || b[last] == '\t' || b[last] == '\r' || b[last] == '\n' {
		return fmt.Errorf("json: trailing white space %q at byte %d, want none", b[last], last)
	}
	if !utf8.Valid(b) {
		return errors.New("json: payload is not UTF-8")
	}
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '[', '{':
			if depth++; depth > jsonMaxDepth {
				return fmt.Errorf("json: %q at byte %d is nested deeper than %d levels", b[i], i, jsonMaxDepth)
			}
		case ']', '}':
			depth--
		case '"':
			end, err := skipJSONString(b, i)
			if err != nil {
				return err
			}
			i = end
		}
	}
	if depth > 0 {
		return fmt.Errorf("json: %d arrays or objects are open at the end, byte %d: %w", depth, len(b), io.ErrUnexpectedEOF)
	}
	return nil
}

// skipJSONString returns the offset of the quote that closes the string whose
// first one is at start.
func skipJSONString(b []byte, start int) (end int, err error) {
	for i := start + 1; i < len(b); i++ {
		switch b[i] {
		case '"':
			return i, nil
		case '\\':
			r, ok := hexEscape(b[i:])
			switch {
			case !ok:
				i++ // the escaped character; encoding/json looks at it
			case r&0xfc00 == 0xd800: // the first half of a pair
				second, ok := hexEscape(b[i+6:])
				if !ok || second&0xfc00 != 0xdc00 {
					return 0, fmt.Errorf("json: lone surrogate %s at byte %d", b[i:i+6], i)
				}
				i += 11
			case r&0xfc00 == 0xdc00:
				return 0, fmt.Errorf("json: lone surrogate %s at byte %d", b[i:i+6], i)
			default:
				i += 5
			}
		}
	}
	return 0, fmt.Errorf("json: string at byte %d is not closed at the end, byte %d: %w", start, len(b), io.ErrUnexpectedEOF)
}

// hexEscape reads an escape of the form \u12ab at the beginning of b.
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

// truncatedJSON wraps io.ErrUnexpectedEOF into err if the payload is the
// beginning of something longer. Unmarshal does not tell; a json.Decoder does.
func truncatedJSON(payload []byte, err error) error {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return err
	}
	var raw json.RawMessage
	if json.NewDecoder(bytes.NewReader(payload)).Decode(&raw) == io.ErrUnexpectedEOF {
		return fmt.Errorf("%w: %w", err, io.ErrUnexpectedEOF)
	}
	return err
}
