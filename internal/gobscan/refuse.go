package gobscan

import (
	"fmt"
	"reflect"
)

// refused says that a value cannot be what it should be decoded to.
const refused = -1

// lost refuses field k of a struct, for which find has found nothing.
func (d *decoder) lost(e *engine, k int) int {
	d.err = fmt.Errorf("field of %s is in an embedded struct behind a nil pointer", clip(e.t.String()))
	return d.where(e, k)
}

// where notes that field k of a struct is the one that was refused, or that has it.
func (d *decoder) where(e *engine, k int) int {
	if d.eng == nil {
		d.eng, d.when = e, k
	}
	return refused
}

// failure is the error for what was refused in a value of type t.
func (d *decoder) failure(t reflect.Type) error {
	place := t.String()
	if d.eng != nil {
		place = d.eng.def.fields[d.when].name
	}
	if d.err != nil {
		return fmt.Errorf("gob: value for %q: %w", clip(place), d.err)
	}
	return fmt.Errorf("gob: value for %q out of range", clip(place))
}
