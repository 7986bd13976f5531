package pickle

import (
	"reflect"

	"github.com/fb9bb4ed/qsocket/internal/excerpt"
	"github.com/fb9bb4ed/qsocket/internal/mpscan"
)

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
	if d.work -= int(n.n); d.work < 0 { // for keys that are skipped, time and again if the dict is shared
		return d.overworked()
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
	if len(name) > fs.most { // which would take long to look for, time and again if it is shared
		return 0, false
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
	for i := range count {
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
		if v.Len() != i+1 {
			return d.twice(n, key)
		}
	}
	return true
}

// twice reports a key that is there already.
func (d *decoding) twice(n *node, key reflect.Value) bool {
	return d.fail("%s is in %v twice", show(key), n.kind)
}

// hash counts the work of finding a place in a map for the string n: it may be the key of
// many maps.
func (d *decoding) hash(n *node) bool {
	if n.kind == kindStr {
		d.work -= int(n.n) / 16
	}
	return d.work >= 0 || d.overworked()
}

// key is value for the key of a map. In an interface it has to be of a type that can be one.
func (d *decoding) key(at int32, p *plan, v reflect.Value) bool {
	_, n := d.follow(at)
	switch {
	case !d.hash(n):
		return false
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
