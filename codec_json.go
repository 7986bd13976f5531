package qsocket

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/deep"
	"github.com/fb9bb4ed/qsocket/internal/excerpt"
	"github.com/fb9bb4ed/qsocket/internal/fit"
	"github.com/fb9bb4ed/qsocket/internal/jsonfold"
	"github.com/fb9bb4ed/qsocket/internal/jsonscan"
	"github.com/fb9bb4ed/qsocket/internal/jsonutf8"
	"github.com/fb9bb4ed/qsocket/internal/schema"
	"github.com/fb9bb4ed/qsocket/internal/treesize"
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
// clock and the name of its zone; one whose offset is not whole minutes is an error. An array longer than the receiver's is cut.
// Unexported fields are not sent.
//
// A field with the tag omitempty is left out if it is a zero number, false, nil or an empty
// string, slice or map, which arrives as nil; with omitzero, if its IsZero says so or it is
// the zero value. A url.URL loses its User.
//
// # Values
//
// A Protocol is refused (see [Protocol]) if T, or what is encoded of it, has
//
//   - an interface with methods, error included: nothing can be received for it;
//   - a chan, func, complex number or unsafe.Pointer, or a key of a map that is no string,
//     integer or type with MarshalText and UnmarshalText;
//   - one half of a pair of methods (MarshalText without UnmarshalText, say) such that the
//     decoder refuses what the encoder writes; what MarshalJSON or UnmarshalJSON alone
//     understand is tried with simple values;
//   - methods of an embedded type, such as a time.Time, beside fields that would be lost;
//   - methods of *X for an X in a map;
//   - an embedded pointer to an unexported type, an embedded struct that embeds itself, or
//     two fields of one name, of which encoding/json sends neither;
//   - a struct with unexported fields only and no methods, but for locks.
//
// A key of a map that its type's UnmarshalText takes for another one, or refuses, is an error on Send:
// where keys are strings, MarshalText is not asked before Go 1.27.
// A number in an any that no float64 holds is an error on Send. The empty json.Number arrives as 0.
// Of two fields of one name that of the outer struct is sent, and that of an embedded one is lost.
// A value in an any is an error on Send if something of it would be lost, for the same reasons.
//
// # Errors
//
// A value that is nested deeper than 100 levels, or contains itself, is an error on Send,
// whatever encoding/json would do with it. Of what methods of types do (MarshalJSON,
// MarshalText) nothing is known.
//
// The decoder refuses an empty payload, one that ends too early
// (io.ErrUnexpectedEOF), anything after the value, white space included, nesting
// deeper than 100 levels, text that is not UTF-8, lone surrogates, and objects with a key
// twice, or with two that are for one field of a struct, such as "A" and "a". The encoder
// refuses strings that are not UTF-8, those that methods return included: encoding/json
// would send U+FFFD in their place. To tell them from strings that contain that
// character, a value in whose encoding it occurs is looked through once more, and methods
// of types in it (MarshalJSON, MarshalText) are called a second time. A number that does
// not fit its field is an error.
//
// # Trust
//
// JSON is safe with strangers up to memory in proportion to the payload: a
// payload of n bytes can hold n/2 elements, each as large as the receiver's
// element type. In an any or a recursive type that can be more than 100 times the
// payload. Keep MaxFrame small where T has them or where elements are large.
func JSON[T any]() Codec[T] { return jsonCodec[T]{} }

type jsonCodec[T any] struct{}

func (jsonCodec[T]) Name() string    { return "json" }
func (jsonCodec[T]) Stateless() bool { return true }
func (jsonCodec[T]) null() string    { return "null" }
func (jsonCodec[T]) unfit() error    { return fit.Check(fit.JSON, reflect.TypeFor[T]()) }

func (jsonCodec[T]) NewDecoder() Decoder[T] {
	return &jsonDecoder[T]{fold: jsonfold.For(reflect.TypeFor[T]())}
}

func (jsonCodec[T]) NewEncoder() Encoder[T] {
	e := &jsonEncoder[T]{most: maxMaxFrame, deep: jsonDepth.For(reflect.TypeFor[T]()), unique: schema.JSONUnique(reflect.TypeFor[T]())}
	if !e.unique {
		e.fold = jsonfold.For(reflect.TypeFor[T]())
	}
	e.enc = json.NewEncoder(&e.buf)
	e.enc.SetEscapeHTML(false)
	return e
}

// jsonEncoder keeps one json.Encoder, which is left as it was by an error of a
// value; only an error of its writer would stay, and buf has none.
type jsonEncoder[T any] struct {
	enc  *json.Encoder
	buf  appender
	v    T          // the value being encoded; here it costs no allocation of its own
	deep *deep.Plan // nil: no value can be too deep for encoding/json, or too large for its memory
	most int        // the largest payload that can be sent

	unique bool           // no object that is written can have a key twice
	fold   *jsonfold.Plan // as in jsonDecoder
}

// jsonDepth keeps encoding/json from exhausting the stack, and the memory. It counts what jsonscan does, and
// leaves what is about its limit to that.
var jsonDepth = &deep.Rules{
	Codec:  "json",
	Max:    2 * jsonscan.MaxDepth,
	Fields: schema.JSONFields,
	Least:  deep.Least{Elem: len("0,"), Entry: len(`"":0`), Names: true},
	Itself: schema.JSONItself,
	Held:   func(t reflect.Type) error { return fit.Held(fit.HeldJSON, t) },
	Leaf:   reflect.TypeFor[time.Time](),
	LeafIn: func(t reflect.Type) []int { return fit.PathOfMethod(t, "MarshalJSON", reflect.TypeFor[time.Time]()) },
	Judge:  judgeTime,
	Meet:   hasOwnKey,
	Key:    jsonKey,
	Alone:  true,
}

// hasOwnKey reports whether keys of type t are decoded by UnmarshalText, and not encoded by
// MarshalText: encoding/json does so with strings, before Go 1.27, and with numbers that have
// only the one.
func hasOwnKey(t reflect.Type) bool {
	switch k := t.Kind(); {
	case !reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		return false
	case k == reflect.String:
		return true
	default:
		return k >= reflect.Int && k <= reflect.Uintptr && !t.Implements(reflect.TypeFor[encoding.TextMarshaler]())
	}
}

// jsonKey refuses the key of a map, of a type that hasOwnKey, that arrives as another one or not
// at all.
func jsonKey(key reflect.Value) (string, error) {
	m := reflect.MakeMap(reflect.MapOf(key.Type(), reflect.TypeFor[bool]()))
	m.SetMapIndex(key, reflect.ValueOf(true))
	b, err := json.Marshal(m.Interface())
	if err != nil {
		return "", err
	}
	got := reflect.New(m.Type())
	if err := json.Unmarshal(b, got.Interface()); err != nil {
		return "", excerpt.Wrap("json: the receiver would refuse a key of a map: ", err)
	}
	if !got.Elem().MapIndex(key).IsValid() {
		return "", fmt.Errorf("json: key %s of type %s of a map would arrive as another one", excerpt.Quote(fmt.Sprint(key), excerpt.MaxName), fit.Name(key.Type()))
	}
	return string(b), nil
}

// judgeTime refuses a time whose offset RFC 3339 cannot express: encoding/json would drop the
// seconds of it, and the time would arrive as another one. Zones of before 1972 have such
// offsets.
func judgeTime(v reflect.Value) error {
	if !v.CanInterface() {
		return nil
	}
	t := v.Interface().(time.Time)
	if _, offset := t.Zone(); offset%60 != 0 {
		return fmt.Errorf("json: time %v has an offset of %d seconds from UTC, want whole minutes: send it in UTC", t, offset)
	}
	return nil
}

func (e *jsonEncoder[T]) limitPayload(n int) { e.most = n }

func (e *jsonEncoder[T]) Append(dst []byte, v T) ([]byte, error) {
	var zero T
	e.buf, e.v = dst, v
	b, err := e.encode(len(dst))
	e.buf, e.v = nil, zero
	if err != nil {
		return dst, err
	}
	payload := b[len(dst):]
	if err := e.scan(payload); err != nil {
		return dst, err
	}
	// Only what an interface holds is without bounds: every other number fits its type.
	if e.deep.Free() && hasLargeNumber(payload) {
		if err := json.Unmarshal(payload, new(T)); err != nil {
			return dst, excerpt.Wrap("json: the receiver would refuse it: ", err)
		}
	}
	return b, nil
}

func (e *jsonEncoder[T]) scan(payload []byte) error {
	if e.unique {
		return jsonscan.ScanUnique(payload)
	}
	return scanJSON(payload, e.fold)
}

// scanJSON refuses payloads that jsonscan refuses, and those with keys that encoding/json
// would take for one where fold, which may be nil, has a struct.
func scanJSON(payload []byte, fold *jsonfold.Plan) error {
	if fold == nil {
		return jsonscan.Scan(payload)
	}
	alike, err := jsonscan.ScanFolded(payload)
	if err == nil && alike {
		err = fold.Check(payload)
	}
	return err
}

// hasLargeNumber reports whether payload may have a number that no float64 holds: one with an
// exponent of three digits, or with 300 digits.
func hasLargeNumber(payload []byte) bool {
	digits := 0 // in a row
	exponent := false
	for i, c := range payload {
		switch {
		case c >= '0' && c <= '9':
			if digits++; digits >= 300 || exponent && digits >= 3 {
				return true
			}
		case (c == 'e' || c == 'E') && digits > 0:
			exponent, digits = true, 0
		case (c == '+' || c == '-') && exponent && (payload[i-1] == 'e' || payload[i-1] == 'E'):
		default:
			exponent, digits = false, 0
		}
	}
	return false
}

// encode appends v to buf, which has n bytes.
func (e *jsonEncoder[T]) encode(n int) ([]byte, error) {
	if e.deep != nil {
		if err := deep.Check(e.deep, &e.v, e.most); err != nil {
			return nil, err
		}
	}
	if err := e.enc.Encode(&e.v); err != nil {
		return nil, err
	}
	b := []byte(e.buf)
	b = b[:len(b)-1] // the newline that ends what a json.Encoder writes
	if jsonscan.HasReplacement(b[n:]) {
		if err := jsonutf8.Check(reflect.ValueOf(&e.v).Elem()); err != nil {
			return nil, err
		}
	}
	return b, nil
}

type jsonDecoder[T any] struct {
	scratch *T
	fold    *jsonfold.Plan // where T has structs; nil if it has none
}

func (d *jsonDecoder[T]) maxDecoded() (factor, free int) {
	return treesize.JSONFactor(reflect.TypeFor[T]()), 0
}

func (d *jsonDecoder[T]) decodedSize(v any, _, limit int) int {
	return treesize.Of(reflect.ValueOf(v), limit)
}

func (d *jsonDecoder[T]) Decode(payload []byte) (T, error) {
	return decodeNew(d, &d.scratch, payload)
}

func (d *jsonDecoder[T]) decodeInto(payload []byte, v *T) error {
	if err := scanJSON(payload, d.fold); err != nil {
		return err
	}
	err := json.Unmarshal(payload, v)
	if err == nil {
		return nil
	}
	var syntax *json.SyntaxError // below the return: As makes it an allocation
	if errors.As(err, &syntax) && jsonscan.Truncated(payload) {
		return fmt.Errorf("%w: %w", err, io.ErrUnexpectedEOF)
	}
	return err
}
