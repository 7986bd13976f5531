package value

import (
	"math"
	"strconv"
)

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
