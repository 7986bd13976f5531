// Package value turns payloads into JSON texts and back without the Go types of the
// messages, by their description (docs/schema.md) or, where there is none, by what the
// payload says of itself.
//
// # What JSON lacks
//
// A value whose type is known is written as plainly as JSON allows, since the type says the
// rest. Where the type is not known (any, opaque, no description at all) the text says what
// the value is:
//
//	value                        with its type known      not known
//	integer                      17                       17
//	floating point               1.5, 2.0                 2.0: with a fraction or an exponent, always
//	... of 32 bits               1.5                      {"$float32":1.5}
//	not a number, infinite       {"$float64":"NaN"}       the same; "+Inf", "-Inf"; "0x7ff8000000000002" for other NaNs
//	bytes                        "AAEC"                   {"$bin":"AAEC"}: base64
//	text that is not UTF-8       {"$str":"/w=="}          the same: base64
//	time                         "2026-01-02T03:04:05Z"   {"$time":"2026-01-02T03:04:05.000000006Z"}
//	... before 0 or after 9999   {"$time":[s,ns]}         the same: seconds since 1970, nanoseconds
//	map, keys text or integers   {"1":"a"}                {"a":1}
//	... of other keys            {"$map":[[k,v]]}         the same, and where the only key begins with $
//	extension                                             {"$ext":[5,"AAEC"]}: its type and its data
//	field that is not described  {"$unknown":{"F":1}} in the struct, behind the others
//	case of a union              {"case":"Placed","value":…}; its tag where it has no name of its own
//	... that is not decoded      {"case":17,"$raw":"AAEC"}: the payload of the case
//	payload that is not decoded  {"$raw":"AAEC"}
//
// Integers are exact: no number goes through a float64. The keys of maps and the fields of
// structs stay in the order in which they came. In the codec JSON a value is what it is in
// the payload, without any of this. Characters that a terminal may act upon are escaped.
//
// What Decode makes of a payload that the library's own codecs wrote, Append makes the same
// bytes of.
//
// # Limits
//
// They are those of the library's decoders: arrays and maps are nested 100 levels deep at
// most, counts and lengths are compared with the bytes that are left before anything else,
// text is UTF-8 unless the description has the flag invalid-utf8, and a text is at most 64
// times as long as its payload and 64 KiB.
package value

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/fb9bb4ed/qsocket/internal/schema"
)

// MaxDepth is how deep arrays and maps of a payload may be nested.
const MaxDepth = 100

// A text is at most expansion times as long as its payload, and free bytes.
const (
	expansion = 64
	free      = 64 << 10
)

// Codec converts the payloads of one protocol. It is not changed by its use, so it may be
// shared.
type Codec struct {
	name string
	root *form
}

// form is how one kind of payload is written: that of the messages, or of a case.
type form struct {
	kind   formKind
	codec  string       // its name
	typ    *schema.Type // nil: not known
	loose  bool         // strings may be bytes that are not UTF-8
	fields fields
	union  *union
}

type formKind uint8

const (
	formRaw formKind = iota // not decoded
	formMsgpack
	formJSON
	formUnion
)

// New returns the Codec for a codec of this name and messages of this description, which may
// be nil. Payloads of a codec that it does not know, gob for example, are not decoded.
func New(codec string, s *schema.Schema) (*Codec, error) {
	c := &Codec{name: codec}
	if s == nil {
		c.root = newForm(codec, nil, nil, nil)
		return c, nil
	}
	if s.Codec != codec {
		return nil, fmt.Errorf("the description is for the codec %s, and the codec is %s", schemaName(s.Codec), schemaName(codec))
	}
	c.root = newForm(codec, s.Root, s.Flags, newFields(s))
	return c, nil
}

func newForm(codec string, t *schema.Type, flags []string, fields fields) *form {
	f := &form{codec: codec, typ: t, fields: fields}
	for _, flag := range flags {
		f.loose = f.loose || flag == schema.InvalidUTF8
	}
	switch {
	case codec == "msgpack":
		f.kind = formMsgpack
	case codec == "json":
		f.kind = formJSON
	case strings.HasPrefix(codec, "union(") && strings.HasSuffix(codec, ")"):
		f.kind = formUnion
		f.union = newUnion(codec, t, fields)
	}
	return f
}

// Name returns the name of the codec.
func (c *Codec) Name() string { return c.name }

// Decoded reports whether payloads are decoded at all: not those of gob and of codecs that
// are not known.
func (c *Codec) Decoded() bool { return c.root.kind != formRaw }

// Decode appends the text of payload to dst: one line, without a newline. Of an error the text says
// where it is, by the names in the description.
func (c *Codec) Decode(dst, payload []byte) ([]byte, error) {
	w := &writer{b: dst, start: len(dst), most: expansion*len(payload) + free}
	err := c.root.decode(w, payload)
	if err == nil && isRaw(w.b[len(dst):]) && c.root.kind != formRaw {
		// A message that looks like what stands for one that is not decoded.
		w.b = w.b[:len(dst)]
		w.raw(payload)
	}
	if err != nil {
		return dst, err
	}
	return w.b, nil
}

// Raw appends the text that stands for payload whatever it is.
func Raw(dst, payload []byte) []byte {
	w := &writer{b: dst}
	w.raw(payload)
	return w.b
}

func isRaw(text []byte) bool {
	return strings.HasPrefix(string(text[:min(len(text), len(rawBegin))]), rawBegin)
}

const rawBegin = `{"$raw":"`

// Append appends the payload that the text stands for. Of an error the text says where it
// is, what was expected there and what came.
func (c *Codec) Append(dst, text []byte) ([]byte, error) {
	n, err := parse(text)
	if err != nil {
		return dst, err
	}
	if raw := n.tagged("$raw"); raw != nil && !c.root.hasField("$raw") {
		return n.appendBase64(dst, raw, "$raw")
	}
	b, err := c.root.encode(dst, n)
	if err != nil {
		return dst, err
	}
	return b, nil
}

func (f *form) decode(w *writer, payload []byte) error {
	switch f.kind {
	case formMsgpack:
		return f.decodeMsgpack(w, payload)
	case formJSON:
		return decodeJSON(w, payload)
	case formUnion:
		return f.union.decode(w, payload)
	}
	w.raw(payload)
	return nil
}

func (f *form) encode(dst []byte, n *node) ([]byte, error) {
	switch f.kind {
	case formMsgpack:
		return f.encodeMsgpack(dst, n)
	case formJSON:
		return f.encodeJSON(dst, n)
	case formUnion:
		return f.union.encode(dst, n)
	}
	return dst, fmt.Errorf(`want {"$raw":"…"} with the payload in base64, as messages of the codec %s are not encoded here, got %s`, schemaName(f.codec), n.show())
}

// hasField reports whether messages are structs with a field of this name.
func (f *form) hasField(name string) bool {
	d := defOf(f.typ)
	if d == nil {
		return false
	}
	for i := range d.Fields {
		if d.Fields[i].Name == name {
			return true
		}
	}
	return false
}

// defOf returns the definition of a type, or of what it points to; nil if it has none.
func defOf(t *schema.Type) *schema.Def {
	for t != nil && t.Kind == schema.Pointer {
		t = t.Elem
	}
	if t == nil || t.Kind != schema.Named {
		return nil
	}
	return t.Def
}

// at puts a place in front of an error of a part: Order.Tags[3]: ….
func at(place string, err error) error {
	var p *placed
	if errors.As(err, &p) {
		p.place = place + p.place
		return p
	}
	return &placed{place, err}
}

type placed struct {
	place string
	err   error
}

func (p *placed) Unwrap() error { return p.err }

func (p *placed) Error() string {
	place := strings.TrimPrefix(p.place, ".")
	if len(place) > 256 {
		place = place[:120] + "…" + place[len(place)-120:]
	}
	return strings.ToValidUTF8(place, "") + ": " + p.err.Error()
}

func element(i int) string { return "[" + strconv.Itoa(i) + "]" }

func (w *writer) raw(payload []byte) {
	w.b = append(w.b, rawBegin...)
	w.b = base64.StdEncoding.AppendEncode(w.b, payload)
	w.b = append(w.b, `"}`...)
}
