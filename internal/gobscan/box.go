package gobscan

import (
	"fmt"
	"reflect"
	"unsafe"
)

// box is an interface that Scan has seen.
type box struct {
	plan *plan // nil: there is no value, or it is skipped
	at   int   // where the value is; without a plan, where the interface ends
}

// unbox returns the next interface.
func (d *decoder) unbox() box {
	b := d.boxes[0]
	d.boxes = d.boxes[1:]
	return b
}

// boxed decodes the next interface to the variable of type n.t at p.
func (d *decoder) boxed(n *node, p unsafe.Pointer) int {
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
		d.err = fmt.Errorf("%s is not assignable to type %s", clip(box.plan.t.String()), clip(n.t.String()))
		return refused
	}
	to.Set(v.Elem())
	return end
}
