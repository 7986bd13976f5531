package mpplan

import (
	"reflect"
	"unsafe"

	"github.com/fb9bb4ed/qsocket/internal/mpscan"
)

// mapping decodes the map at i to the Go map at p, which is nil.
func (d *Decoder) mapping(i int, n *node, p unsafe.Pointer) int {
	count, i := d.mapHeader(i, "a map")
	if i < 0 || count < 0 {
		return i
	}
	if !d.open(i, count, 2, "map of entries") || !d.spend(mpscan.MapCost(count, slot(n.key)+slot(n.elem))) {
		return failed
	}
	if n.typ.Key() == reflect.TypeFor[string]() && n.elem.dec == opString && n.key.dec == opString {
		m := make(map[string]string, count)
		*(*map[string]string)(p) = m
		i = d.strings(i, m, count)
	} else {
		m := reflect.NewAt(n.typ, p).Elem()
		m.Set(reflect.MakeMapWithSize(n.typ, count))
		i = d.entries(i, n, m, count)
	}
	if i >= 0 {
		d.depth--
	}
	return i
}

// slot is the space that a key or an element takes in a map. A map refers to
// those that are large.
func slot(n *node) int {
	if n.size > 128 {
		return 8 + mpscan.BytesCost(int(n.size))
	}
	return int(n.size)
}

// strings decodes count entries to m.
func (d *Decoder) strings(i int, m map[string]string, count int) int {
	for k := range count {
		var key, elem string
		if i = d.string(i, &key); i < 0 {
			d.inKey(k)
			return failed
		}
		if i = d.string(i, &elem); i < 0 {
			d.inEntry(reflect.ValueOf(key))
			return failed
		}
		m[key] = elem
	}
	return d.distinct(i, len(m), count)
}

// entries decodes count entries to m.
func (d *Decoder) entries(i int, n *node, m reflect.Value, count int) int {
	if !d.spend(int(n.key.size+n.elem.size) + 32) {
		return failed
	}
	key, elem := reflect.New(n.key.typ), reflect.New(n.elem.typ)
	for k := range count {
		if i = d.value(i, n.key, key.UnsafePointer()); i < 0 {
			d.inKey(k)
			return failed
		}
		if !comparable(key.Elem()) {
			d.fail("%s cannot be the key of a map", show(key.Elem()))
			d.inKey(k)
			return failed
		}
		if i = d.value(i, n.elem, elem.UnsafePointer()); i < 0 {
			d.inEntry(key.Elem())
			return failed
		}
		m.SetMapIndex(key.Elem(), elem.Elem())
		key.Elem().SetZero()
		elem.Elem().SetZero()
	}
	return d.distinct(i, m.Len(), count)
}

// comparable reports whether v, of a type that keys can have, can be one.
func comparable(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Interface, reflect.Struct, reflect.Array:
		return v.Comparable()
	}
	return true
}

// distinct refuses a map in which a key is there twice: one of the entries would
// be lost. v5 keeps the last one.
func (d *Decoder) distinct(i, have, count int) int {
	if have != count {
		d.fail("map of %d entries has %d different keys", count, have)
		return failed
	}
	return i
}
