package gobscan

import (
	"bytes"
	"encoding"
	"encoding/gob"
	"fmt"
	"math"
	"math/bits"
	"reflect"
	"time"
	"unsafe"
)

// boxed decodes the next interface to the variable of type n.t at p.
func (d *direct) boxed(n *node, p unsafe.Pointer) int {
	box := d.unbox()
	to := reflect.NewAt(n.t, p).Elem()
	if box.plan == nil {
		to.SetZero()
		return box.at
	}
	v := reflect.New(box.plan.t)
	end := d.value(box.at, box.plan.node, v.UnsafePointer())
	if end < 0 {
		return refused
	}
	if !box.plan.t.AssignableTo(n.t) {
		d.err = fmt.Errorf("gob: %s is not assignable to type %s", clip(box.plan.t.String()), clip(n.t.String()))
		return refused
	}
	to.Set(v.Elem())
	return end
}

// complex decodes the two numbers at i to p.
func (d *direct) complex(i int, n *node, p unsafe.Pointer) int {
	x, i := quickUint(d.b, i)
	y, i := quickUint(d.b, i)
	re, im := float(x), float(y)
	if n.kind == reflect.Complex128 {
		*(*complex128)(p) = complex(re, im)
		return i
	}
	*(*complex64)(p) = complex(float32(re), float32(im))
	if !fits32(re) || !fits32(im) {
		return refused
	}
	return i
}

// float returns the number that gob sends as x: with its bytes in reverse, because
// those that are often zero are at the end then.
func float(x uint64) float64 {
	return math.Float64frombits(bits.ReverseBytes64(x))
}

// fits32 reports whether gob stores v to a float32.
func fits32(v float64) bool {
	return !(math.Abs(v) > math.MaxFloat32) || math.IsInf(v, 0)
}

var timeType = reflect.TypeFor[time.Time]()

// method lets the variable at p decode data.
func (n *node) method(data []byte, p unsafe.Pointer) error {
	if n.t == timeType { // keeps nothing of data
		return (*time.Time)(p).GobDecode(data)
	}
	if n.kind == reflect.Interface {
		return fmt.Errorf("gob: a nil %s has no value that could decode itself", clip(n.t.String()))
	}
	data = bytes.Clone(data) // GobDecode may keep it
	switch v := reflect.NewAt(n.t, p).Interface().(type) {
	case gob.GobDecoder:
		return v.GobDecode(data)
	case encoding.BinaryUnmarshaler:
		return v.UnmarshalBinary(data)
	default:
		return fmt.Errorf("gob: %T has no method to decode itself", v)
	}
}

// find returns the variable for field k of the struct at p. It is nil if a pointer on
// the way to it is: gob makes none there.
func (e *engine) find(k int, p unsafe.Pointer) unsafe.Pointer {
	t := e.t
	for _, i := range e.far[k] {
		if t.Kind() == reflect.Pointer {
			if p = *(*unsafe.Pointer)(p); p == nil {
				return nil
			}
			t = t.Elem()
		}
		f := t.Field(i)
		p, t = unsafe.Add(p, f.Offset), f.Type
	}
	return p
}

// lost refuses field k of a struct, for which find has found nothing.
func (d *direct) lost(e *engine, k int) int {
	d.err = fmt.Errorf("gob: field of %s is in an embedded struct behind a nil pointer", clip(e.t.String()))
	return d.where(e, k)
}

// where notes that field k of a struct is the one that was refused, or that has it.
func (d *direct) where(e *engine, k int) int {
	if d.eng == nil {
		d.eng, d.when = e, k
	}
	return refused
}

// failure is the error for what was refused in a value of type t.
func (d *direct) failure(t reflect.Type) error {
	place := t.String()
	if d.eng != nil {
		place = d.eng.def.fields[d.when].name
	}
	if d.err != nil {
		return fmt.Errorf("gob: value for %q: %w", clip(place), d.err)
	}
	return fmt.Errorf("gob: value for %q out of range", clip(place))
}
