package pickle

import (
	"encoding"
	"math/big"
	"reflect"

	"github.com/fb9bb4ed/qsocket/internal/excerpt"
	"github.com/fb9bb4ed/qsocket/internal/mpscan"
)

// decoding makes Go values of the nodes of a pickle.
type decoding struct {
	*machine
	*options
	trail
	work int    // values that may still be made: what is shared is made again each time
	seen []bool // fields of the structs that are open
}

// decode sets v, which is zero, and returns what its parts take, in bytes.
func (d *decoding) decode(payload []byte, p *plan, v reflect.Value) (spent int, err error) {
	d.machine = machines.Get().(*machine)
	defer func() { // also when a method of the program panics
		d.machine.reset()
		machines.Put(d.machine)
		d.machine, d.trail, d.seen = nil, nil, d.seen[:0]
	}()
	d.work = d.bound(len(payload))
	root, ok := d.run(payload, d.work)
	if !ok {
		return 0, excerpt.Wrap("pickle: ", d.err)
	}
	before := d.budget
	d.strings = append(d.strings, "") // place 0 is none
	if !d.value(root, p, v) {
		return 0, d.wrap(p.typ, d.err)
	}
	return before - d.budget, nil
}

// value sets v, which is zero, to the node at.
func (d *decoding) value(at int32, p *plan, v reflect.Value) bool {
	if d.work--; d.work < 0 {
		return d.overworked()
	}
	at, n := d.follow(at)
	if n.kind == kindNone {
		return true
	}
	switch p.form {
	case formBool:
		if n.kind != kindBool {
			return d.unexpected(n, p)
		}
		v.SetBool(n.x == 1)
		return true
	case formInt:
		i, ok := d.signed(n, p)
		if ok && v.OverflowInt(i) {
			return d.overflows(n, p)
		}
		v.SetInt(i)
		return ok
	case formUint:
		u, ok := d.unsigned(n, p)
		if ok && v.OverflowUint(u) {
			return d.overflows(n, p)
		}
		v.SetUint(u)
		return ok
	case formFloat:
		return d.floating(n, p, v)
	case formString:
		if n.kind != kindStr {
			return d.unexpected(n, p)
		}
		s, ok := d.string(n)
		v.SetString(s)
		return ok
	case formPointer:
		if !d.spend(mpscan.BytesCost(p.elem.size)) {
			return false
		}
		v.Set(reflect.New(p.elem.typ))
		return d.value(at, p.elem, v.Elem())
	case formStruct:
		return d.structure(n, p, v)
	case formSlice, formArray:
		return d.list(n, p, v)
	case formMap, formSet:
		return d.mapping(n, p, v)
	case formBytes, formByteArray:
		return d.byteSlice(n, p, v)
	case formAny:
		x, ok := d.any(at)
		if ok && x != nil {
			v.Set(reflect.ValueOf(x))
		}
		return ok
	case formText:
		return d.textMethod(n, p, v)
	default:
		return d.special(n, p, v)
	}
}

func (d *decoding) overworked() bool {
	return d.fail("%w: a payload of %d bytes, parts of which are shared", errExpansion, len(d.b))
}

// unexpected reports a node that no value of p's type can be made of.
func (d *decoding) unexpected(n *node, p *plan) bool {
	if p.form == formUnsupported {
		return d.fail("%s", p.unfit)
	}
	return d.fail("%v for %v", n.kind, p.typ)
}

// string returns the text of n. One that was fetched from the memo is made once.
func (d *decoding) string(n *node) (string, bool) {
	if place := n.x >> 32; place != 0 {
		return d.strings[place], true
	}
	if !d.spend(mpscan.BytesCost(int(n.n))) {
		return "", false
	}
	s := string(d.raw(n))
	if n.again {
		if !d.spend(4 * slotSize) {
			return "", false
		}
		n.x |= uint64(len(d.strings)) << 32
		d.strings = append(d.strings, s)
	}
	return s, true
}

func (d *decoding) byteSlice(n *node, p *plan, v reflect.Value) bool {
	if n.kind != kindBytes && n.kind != kindLatin {
		return d.unexpected(n, p)
	}
	size := d.sizeOf(n)
	if p.form == formByteArray {
		if size != v.Len() {
			return d.fail("%d bytes for %v", size, p.typ)
		}
		d.appendBytes(v.Slice(0, size).Bytes()[:0], n)
		return true
	}
	if !d.spend(mpscan.BytesCost(size)) {
		return false
	}
	v.SetBytes(d.appendBytes(make([]byte, 0, size), n))
	return true
}

// textMethod gives n to the method of the program.
func (d *decoding) textMethod(n *node, p *plan, v reflect.Value) bool {
	if n.kind != kindStr {
		return d.unexpected(n, p)
	}
	if !d.spend(mpscan.BytesCost(int(n.n))) {
		return false
	}
	u := v.Addr().Interface().(encoding.TextUnmarshaler)
	if err := u.UnmarshalText(append([]byte(nil), d.raw(n)...)); err != nil {
		return d.failErr(err)
	}
	return true
}

// special sets v, which is of a type with a form of its own.
func (d *decoding) special(n *node, p *plan, v reflect.Value) bool {
	switch {
	case p.form == formBigInt && (n.kind == kindInt || n.kind == kindBig):
		if !d.spend(bigCost(n)) {
			return false
		}
		v.Addr().Interface().(*big.Int).Set(d.big(n))
		return true
	case p.form == formTime && n.kind == kindDateTime,
		p.form == formDuration && n.kind == kindDelta,
		p.form == formDate && n.kind == kindDate,
		p.form == formTimeOfDay && n.kind == kindClock,
		p.form == formDecimal && n.kind == kindDecimal:
		x, ok := d.scalar(n)
		if ok {
			v.Set(reflect.ValueOf(x))
		}
		return ok
	}
	return d.unexpected(n, p)
}
