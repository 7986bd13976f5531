package value

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/fb9bb4ed/qsocket/internal/mpscan"
	"github.com/fb9bb4ed/qsocket/internal/schema"
)

// decodeMsgpack appends the text of a payload of MessagePack. The payload is checked as a whole
// first, so what is read of it later is there, and its nesting is bounded.
func (f *form) decodeMsgpack(w *writer, payload []byte) error {
	scan := mpscan.Scanner{AllowInvalidUTF8: f.loose}
	if err := scan.Scan(payload); err != nil {
		return fmt.Errorf("msgpack: %w", err)
	}
	d := &decoder{reader: reader{b: payload}, writer: w, form: f, odd: newOutline(payload)}
	if f.typ == nil {
		return d.any()
	}
	return inMessage(f.typ, d.value(f.typ))
}

// inMessage puts the name of a message in front of an error of a part of it.
func inMessage(t *schema.Type, err error) error {
	if d := defOf(t); d != nil && err != nil {
		return at(d.Name, err)
	}
	return err
}

type decoder struct {
	reader
	*writer
	form *form
	odd  outline
}

func mismatch(t token, want string) error {
	return fmt.Errorf("%s where %s is expected", t.format(), want)
}

// value appends the value that comes next, which is to be of type t.
func (d *decoder) value(t *schema.Type) error {
	if err := d.check(); err != nil {
		return err
	}
	if d.peek() == 0xc0 {
		d.i++
		d.writer.b = append(d.writer.b, "null"...)
		return nil
	}
	switch t.Kind {
	case schema.Any, schema.Opaque:
		return d.any()
	case schema.Pointer, schema.Quoted:
		return d.value(t.Elem)
	case schema.Slice:
		return d.list(t, math.MaxInt)
	case schema.Array:
		if t.Elem.Kind == schema.Uint8 {
			return d.bytes(t.Len)
		}
		return d.list(t, t.Len)
	case schema.Map:
		return d.mapping(t)
	case schema.Named:
		return d.structure(t.Def)
	case schema.Bytes:
		return d.bytes(math.MaxInt)
	}
	return d.basic(t.Kind)
}

func (d *decoder) basic(k schema.Kind) error {
	t := d.next()
	switch {
	case k == schema.Bool && t.kind == boolToken:
		d.bool(t)
	case k == schema.String && (t.kind == strToken || t.kind == binToken):
		if t.kind == binToken && !d.form.loose && !utf8.Valid(t.data) {
			return errors.New("bin that is not UTF-8, where text is expected")
		}
		d.text(t.data)
	case k == schema.Time:
		return d.timeValue(t)
	case k == schema.Float32 || k == schema.Float64:
		return d.floating(t, k)
	case k == schema.Complex:
		return errors.New("complex numbers have no form in MessagePack")
	case isInt(k) && t.kind == intToken:
		if err := t.num.fits(k); err != nil {
			return err
		}
		d.writer.b = append(d.writer.b, t.num.String()...)
	default:
		return mismatch(t, kindName(k))
	}
	return nil
}

func isInt(k schema.Kind) bool { return k >= schema.Int && k <= schema.Uint64 }

func (d *decoder) bool(t token) {
	d.writer.b = strconv.AppendBool(d.writer.b, t.bits == 1)
}

// text appends a string, which may have bytes that are not UTF-8.
func (d *decoder) text(s []byte) {
	if utf8.Valid(s) {
		d.writer.string(s)
		return
	}
	d.open("$str")
	d.base64(s)
	d.byte('}')
}

func (d *decoder) base64(b []byte) {
	d.byte('"')
	d.writer.b = base64.StdEncoding.AppendEncode(d.writer.b, b)
	d.byte('"')
}

func (d *decoder) bytes(most int) error {
	t := d.next()
	if t.kind != strToken && t.kind != binToken {
		return mismatch(t, "bytes")
	}
	if len(t.data) > most {
		return fmt.Errorf("%d bytes for %d", len(t.data), most)
	}
	d.base64(t.data)
	return nil
}

func (d *decoder) floating(t token, k schema.Kind) error {
	bits := 64
	if k == schema.Float32 {
		bits = 32
	}
	switch {
	case t.kind == intToken:
		if err := t.num.exact(k); err != nil {
			return err
		}
		d.float(t.num.float(), bits)
	case t.kind == float32Token:
		d.float(float64(math.Float32frombits(uint32(t.bits))), bits)
	case t.kind == float64Token && k == schema.Float64:
		d.float(math.Float64frombits(t.bits), bits)
	default:
		return mismatch(t, kindName(k))
	}
	return nil
}

// timeValue appends the time that t is, or begins: besides a timestamp there may be a text, or
// seconds and nanoseconds.
func (d *decoder) timeValue(t token) error {
	switch sec, nsec, ok := t.timestamp(); {
	case ok:
		d.time(sec, nsec, false)
		return nil
	case t.kind == strToken:
		at, err := time.Parse(time.RFC3339Nano, string(t.data))
		if err != nil {
			return fmt.Errorf("the text %s where a time is expected", clip(string(t.data)))
		}
		d.time(at.Unix(), uint32(at.Nanosecond()), false)
		return nil
	case t.kind == arrayToken && t.count == 2:
		sec, nsec := d.next(), d.next()
		if sec.kind == intToken && nsec.kind == intToken && (sec.num.negative || sec.num.bits <= math.MaxInt64) &&
			!nsec.num.negative && nsec.num.bits < 1e9 {
			d.time(int64(sec.num.bits), uint32(nsec.num.bits), false)
			return nil
		}
		return errors.New("array where a time is expected, want one of seconds and nanoseconds below 10⁹")
	}
	return mismatch(t, "time")
}

func (d *decoder) list(t *schema.Type, most int) error {
	h := d.next()
	if h.kind != arrayToken {
		return mismatch(h, "an array")
	}
	if h.count > most {
		return fmt.Errorf("%d elements for %d", h.count, most)
	}
	d.byte('[')
	for i := range h.count {
		if i > 0 {
			d.byte(',')
		}
		if err := d.value(t.Elem); err != nil {
			return at(element(i), err)
		}
	}
	d.byte(']')
	return nil
}

// mapping appends a map. Where its keys are texts or integers, they are those of an object.
func (d *decoder) mapping(t *schema.Type) error {
	begin := d.i
	h := d.next()
	if h.kind != mapToken {
		return mismatch(h, "a map")
	}
	switch {
	case isInt(t.Key.Kind):
		return d.object(h.count, func() (string, error) {
			key := d.next()
			if key.kind == nilToken {
				return "0", nil
			}
			if key.kind != intToken {
				return "", fmt.Errorf("%s is a key, want %s", key.format(), kindName(t.Key.Kind))
			}
			return key.num.String(), key.num.fits(t.Key.Kind)
		}, func() error { return d.value(t.Elem) })
	case t.Key.Kind == schema.String && !d.odd[begin]:
		return d.object(h.count, d.plainKey, func() error { return d.value(t.Elem) })
	}
	return d.pairs(h.count, func() error { return d.value(t.Key) }, func() error { return d.value(t.Elem) })
}

func (d *decoder) plainKey() (string, error) { return string(d.next().data), nil }

// object appends an object of count entries.
func (d *decoder) object(count int, key func() (string, error), elem func() error) error {
	seen := make(map[string]bool)
	d.byte('{')
	for i := range count {
		if i > 0 {
			d.byte(',')
		}
		k, err := key()
		if err != nil {
			return err
		}
		if seen[k] {
			return fmt.Errorf("the key %s is there twice", clip(k))
		}
		seen[k] = true
		d.writer.string([]byte(k))
		d.byte(':')
		if err := elem(); err != nil {
			return at("["+clip(k)+"]", err)
		}
	}
	d.byte('}')
	return nil
}

// pairs appends the entries of a map that no object stands for.
func (d *decoder) pairs(count int, key, elem func() error) error {
	d.open("$map")
	d.byte('[')
	seen := make(map[string]bool)
	for i := range count {
		if i > 0 {
			d.byte(',')
		}
		d.byte('[')
		from := len(d.writer.b)
		if err := key(); err != nil {
			return at(element(i)+" key", err)
		}
		if text := string(d.writer.b[from:]); seen[text] {
			return at(element(i), fmt.Errorf("the key %s is there twice", clip(text)))
		} else {
			seen[text] = true
		}
		d.byte(',')
		if err := elem(); err != nil {
			return at(element(i), err)
		}
		d.byte(']')
	}
	d.writer.b = append(d.writer.b, "]}"...)
	return nil
}

// any appends the value that comes next, whose type is not known.
func (d *decoder) any() error {
	if err := d.check(); err != nil {
		return err
	}
	begin := d.i
	t := d.next()
	switch t.kind {
	case nilToken:
		d.writer.b = append(d.writer.b, "null"...)
	case boolToken:
		d.bool(t)
	case intToken:
		d.writer.b = append(d.writer.b, t.num.String()...)
	case float32Token:
		f := float64(math.Float32frombits(uint32(t.bits)))
		if math.IsNaN(f) || math.IsInf(f, 0) {
			d.notNumber(f, 32)
			break
		}
		d.open("$float32")
		d.float(f, 32)
		d.byte('}')
	case float64Token:
		d.float(math.Float64frombits(t.bits), 64)
	case strToken:
		d.text(t.data)
	case binToken:
		d.open("$bin")
		d.base64(t.data)
		d.byte('}')
	case extToken:
		d.extension(t, d.reader.b[begin:d.i])
	case arrayToken:
		d.byte('[')
		for i := range t.count {
			if i > 0 {
				d.byte(',')
			}
			if err := d.any(); err != nil {
				return at(element(i), err)
			}
		}
		d.byte(']')
	case mapToken:
		if d.odd[begin] {
			return d.pairs(t.count, d.any, d.any)
		}
		return d.object(t.count, d.plainKey, d.any)
	}
	return nil
}

// extension appends t, which stands in the payload as encoded: as a time if it is one in the format
// in which it would be sent again.
func (d *decoder) extension(t token, encoded []byte) {
	if sec, nsec, ok := t.timestamp(); ok && string(appendTime(nil, sec, nsec)) == string(encoded) {
		d.time(sec, nsec, true)
		return
	}
	d.open("$ext")
	d.byte('[')
	d.writer.b = strconv.AppendInt(d.writer.b, int64(t.ext), 10)
	d.byte(',')
	d.base64(t.data)
	d.writer.b = append(d.writer.b, "]}"...)
}
