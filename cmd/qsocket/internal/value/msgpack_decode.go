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
