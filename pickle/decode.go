package pickle

import (
	"encoding"
	"math"
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
		return d.fail("%w: a payload of %d bytes, parts of which are shared", errExpansion, len(d.b))
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

// unexpected reports a node that no value of p's type can be made of.
func (d *decoding) unexpected(n *node, p *plan) bool {
	if p.form == formUnsupported {
		return d.fail("%s", p.unfit)
	}
	return d.fail("%v for %v", n.kind, p.typ)
}

func (d *decoding) signed(n *node, p *plan) (int64, bool) {
	switch n.kind {
	case kindInt:
		return int64(n.x), true
	case kindBig:
		return 0, d.overflows(n, p)
	}
	return 0, d.unexpected(n, p)
}

func (d *decoding) unsigned(n *node, p *plan) (uint64, bool) {
	switch {
	case n.kind == kindInt && int64(n.x) >= 0:
		return n.x, true
	case n.kind == kindBig && n.n == 9 && d.raw(n)[8] == 0: // from 1<<63 on
		return d.big(n).Uint64(), true
	case n.kind == kindInt || n.kind == kindBig:
		return 0, d.overflows(n, p)
	}
	return 0, d.unexpected(n, p)
}

func (d *decoding) overflows(n *node, p *plan) bool {
	return d.fail("%s overflows %v", d.digits(n), p.typ)
}

// digits is the integer n in an error.
func (d *decoding) digits(n *node) string {
	if n.kind == kindBig && n.n > 32 {
		return "an int of " + excerpt.Count(int(n.n)) + " bytes"
	}
	return d.big(n).String()
}

// big returns the integer n.
func (d *decoding) big(n *node) *big.Int {
	if n.kind == kindInt {
		return big.NewInt(int64(n.x))
	}
	raw := d.raw(n)
	b := make([]byte, len(raw))
	negative := raw[len(raw)-1] >= 0x80
	for i, c := range raw {
		if negative {
			c = ^c
		}
		b[len(b)-1-i] = c
	}
	z := new(big.Int).SetBytes(b)
	if negative {
		z.Not(z)
	}
	return z
}

// bigCost is what big allocates, and what is copied of it.
func bigCost(n *node) int { return 3*mpscan.BytesCost(int(n.n)+8) + 64 }

// floating takes ints, too, that a float has without loss.
func (d *decoding) floating(n *node, p *plan, v reflect.Value) bool {
	var f float64
	exact := true
	switch n.kind {
	case kindFloat:
		f = math.Float64frombits(n.x)
	case kindInt:
		i := int64(n.x)
		f = float64(i)
		exact = f < 1<<63 && int64(f) == i
	case kindBig:
		var accuracy big.Accuracy
		if !d.spend(bigCost(n)) {
			return false
		}
		f, accuracy = d.big(n).Float64()
		exact = accuracy == big.Exact
	default:
		return d.unexpected(n, p)
	}
	if p.size == 4 && f == f && float64(float32(f)) != f {
		exact = false
	}
	if !exact && n.kind == kindFloat {
		return d.fail("%v is no %v", f, p.typ)
	} else if !exact {
		return d.fail("%s is no %v", d.digits(n), p.typ)
	}
	v.SetFloat(f)
	return true
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

// list takes tuples and sets, too.
func (d *decoding) list(n *node, p *plan, v reflect.Value) bool {
	if n.kind != kindList && n.kind != kindTuple && n.kind != kindSet {
		return d.unexpected(n, p)
	}
	count := int(n.n)
	if p.form == formArray {
		if count != v.Len() {
			return d.fail("%v of %d items for %v", n.kind, count, p.typ)
		}
	} else {
		if !d.spend(mpscan.SliceCost(count, p.elem.size)) {
			return false
		}
		v.Set(reflect.MakeSlice(p.typ, count, count))
	}
	next := n.first()
	for i := range count {
		if !d.value(next, p.elem, v.Index(i)) {
			return d.inElement(i)
		}
		next = d.at(next).next
	}
	return true
}

func (d *decoding) structure(n *node, p *plan, v reflect.Value) bool {
	if n.kind != kindDict {
		return d.unexpected(n, p)
	}
	all := p.fields.all
	first := len(d.seen)
	for range all {
		d.seen = append(d.seen, false)
	}
	defer func() { d.seen = d.seen[:first] }()
	at := n.first()
	for i := range int(n.n) {
		_, key := d.follow(at)
		elem := d.at(at).next
		at = d.at(elem).next
		if key.kind != kindStr {
			return d.fail("dict with %v for a key, want the name of a field of %v", key.kind, p.typ)
		}
		k, ok := p.fields.find(d.raw(key), i)
		switch {
		case !ok && d.strict:
			return d.fail("unknown field %s", excerpt.Quote(string(d.raw(key)), 40))
		case !ok:
			continue
		case d.seen[first+k]:
			return d.fail("field %s is there twice", all[k].goName)
		}
		d.seen[first+k] = true
		if !d.value(elem, all[k].plan, v.FieldByIndex(all[k].index)) {
			return d.inField(all[k].goName)
		}
	}
	return true
}

// find returns the field of that name. Most dicts have them in order: it may well be
// number i.
func (fs *fields) find(name []byte, i int) (int, bool) {
	if i < len(fs.all) && fs.all[i].name == string(name) {
		return i, true
	}
	i, ok := fs.index[string(name)]
	return i, ok
}

// mapping makes maps of dicts, and of sets those without values.
func (d *decoding) mapping(n *node, p *plan, v reflect.Value) bool {
	if p.form == formMap && n.kind != kindDict || p.form == formSet && n.kind != kindSet {
		return d.unexpected(n, p)
	}
	count := int(n.n)
	if !d.spend(mpscan.MapCost(count, p.key.size+p.elem.size) + 2*mpscan.BytesCost(p.key.size+p.elem.size)) {
		return false
	}
	v.Set(reflect.MakeMapWithSize(p.typ, count))
	key, elem := reflect.New(p.key.typ).Elem(), reflect.New(p.elem.typ).Elem()
	at := n.first()
	for range count {
		key.SetZero()
		elem.SetZero()
		if !d.key(at, p.key, key) {
			return d.inKey()
		}
		if at = d.at(at).next; p.form == formMap {
			if !d.value(at, p.elem, elem) {
				return d.inEntry(show(key))
			}
			at = d.at(at).next
		}
		v.SetMapIndex(key, elem)
	}
	return d.distinct(n, v.Len())
}

// key is value for the key of a map. In an interface it has to be of a type that can be one.
func (d *decoding) key(at int32, p *plan, v reflect.Value) bool {
	_, n := d.follow(at)
	switch {
	case p.form == formAny && !n.keyable():
		return d.unkeyable(n)
	case p.form != formAny && n.kind == kindNone: // elsewhere it is zero
		return d.unexpected(n, p)
	}
	return d.value(at, p, v)
}

// keyable reports whether what any makes of n can be the key of a map, and is equal where
// it is in Python.
func (n *node) keyable() bool {
	switch n.kind {
	case kindNone, kindBool, kindInt, kindFloat, kindStr, kindDate, kindClock, kindDelta:
		return true
	}
	return false
}

func (d *decoding) unkeyable(n *node) bool {
	return d.fail("%v is no key of an any in Go: use a map with keys of a type", n.kind)
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
