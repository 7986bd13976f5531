package mpplan

import (
	"encoding"
	"errors"
	"reflect"
	"unsafe"

	"github.com/fb9bb4ed/qsocket/internal/mpscan"
	"github.com/vmihailenco/msgpack/v5"
)

// hook decodes the value at i to p by a method of the type or by v5. The method is not
// called for nil.
func (d *Decoder) hook(i int, n *node, p unsafe.Pointer) int {
	if i < len(d.b) && d.b[i] == nilByte {
		return i + 1
	}
	switch n.dec {
	case opError:
		var s string
		end := d.string(i, &s)
		*(*error)(p) = errors.New(s)
		return end

	case opBinary, opText:
		// A string for a type that has the binary form is its textual form, if it is
		// anything: four bytes of it would do for an address.
		if n.dec == opBinary && i < len(d.b) && isString(d.b[i]) {
			return d.unexpected(i, "the binary form of "+n.typ.String())
		}
		s, end := d.blob(i)
		if end < 0 || !d.spend(mpscan.BytesCost(len(s))) {
			return failed
		}
		s = append([]byte{}, s...)
		var err error
		if v := methodsAt(n, p); n.dec == opText {
			err = v.(encoding.TextUnmarshaler).UnmarshalText(s)
		} else {
			err = v.(encoding.BinaryUnmarshaler).UnmarshalBinary(s)
		}
		return d.done(err, end)
	}

	end := d.skip(i)
	if end < 0 {
		return failed
	}
	switch n.dec {
	case opRaw, opMarshal:
		cost := mpscan.BytesCost(end - i)
		if n.dec == opMarshal {
			cost += mpscan.Cost(d.b[i:end]) // it is going to decode
		}
		if !d.spend(cost) {
			return failed
		}
		s := append([]byte{}, d.b[i:end]...)
		if n.dec == opRaw {
			*(*[]byte)(p) = s
			return end
		}
		return d.done(methodsAt(n, p).(msgpack.Unmarshaler).UnmarshalMsgpack(s), end)
	}
	return d.withV5(i, end, n, p, n.extension)
}

// methodsAt returns the pointer p to a value of n, of its real type.
func methodsAt(n *node, p unsafe.Pointer) (v any) {
	*(*interfaceHeader)(unsafe.Pointer(&v)) = interfaceHeader{n.pointer, p}
	return v
}

// done returns end, unless a method returned an error.
func (d *Decoder) done(err error, end int) int {
	if err != nil {
		d.failErr(err)
		return failed
	}
	return end
}

// A v5 decoder keeps a buffer as large as the longest string that it has read.
// One that has read a value larger than this is not kept.
const keep = 64 << 10 // bytes

// withV5 lets v5 decode the value from i to end, which has been checked.
func (d *Decoder) withV5(i, end int, n *node, p unsafe.Pointer, extension bool) int {
	value := d.b[i:end:end]
	if !d.spend(mpscan.Cost(value)) {
		return failed
	}
	// Taken out, and put back after a success: after an error a v5 decoder can go
	// on recording everything it reads.
	dec := d.v5
	d.v5 = nil
	if dec == nil {
		dec = new(msgpack.Decoder)
	}
	d.scan.AllowInvalidUTF8 = d.InvalidUTF8
	d.r.Reset(value, &d.scan, extension)
	dec.Reset(&d.r) // and with it what a method has set for the values of an earlier message
	dec.DisallowUnknownFields(d.Strict)
	var err error
	if n.direct {
		err = methodsAt(n, p).(msgpack.CustomDecoder).DecodeMsgpack(dec) // as v5 would, which has to look it up
	} else {
		err = dec.DecodeValue(reflect.NewAt(n.typ, p).Elem())
	}
	left := d.r.Len()
	d.r.Reset(nil, nil, false)
	if err != nil {
		d.failErr(err)
		return failed
	}
	if left != 0 {
		d.fail("decoder of %v took %d bytes of a value of %d", n.typ, len(value)-left, len(value))
		return failed
	}
	if len(value) <= keep {
		d.v5 = dec
	}
	return end
}
