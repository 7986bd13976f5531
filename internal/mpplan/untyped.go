package mpplan

import "reflect"

// Untyped is a Plan for a type that is only known when the program runs. Values are given by
// pointers to them, as reflect.New makes them.
type Untyped struct{ root *node }

// Of returns the plan for t.
func Of(t reflect.Type) Untyped { return Untyped{nodeFor(t)} }

// Append is Plan.Append of what pointer points to, which is of the plan's type.
func (p Untyped) Append(e *Encoder, dst []byte, pointer reflect.Value) ([]byte, error) {
	p.check(pointer)
	return e.append(dst, p.root, pointer.UnsafePointer())
}

// Decode is Plan.Decode into what pointer points to, which is of the plan's type, and zero.
func (p Untyped) Decode(d *Decoder, payload []byte, pointer reflect.Value) error {
	p.check(pointer)
	return d.decode(payload, p.root, pointer.UnsafePointer())
}

// check panics if pointer does not point to a value of the plan's type, which would be corrupted.
func (p Untyped) check(pointer reflect.Value) {
	if pointer.Type().Elem() != p.root.typ {
		panic("mpplan: a pointer to " + pointer.Type().Elem().String() + ", want one to " + p.root.typ.String())
	}
}
