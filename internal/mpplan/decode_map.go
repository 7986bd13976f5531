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
	if count > 0 && !d.spend(entryCost(n)) {
		return failed
	}
	if n.typed != nil {
		i = n.typed.decode(d, i, count, n, p)
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

// entryCost is for where an entry is decoded to before it is put into its map.
func entryCost(n *node) int { return int(n.key.size+n.elem.size) + 32 }

// entries decodes count entries to m.
func (d *Decoder) entries(i int, n *node, m reflect.Value, count int) int {
	if count == 0 {
		return i
	}
	key, elem := reflect.New(n.key.typ), reflect.New(n.elem.typ)
	for k := range count {
		if i = d.value(i, n.key, key.UnsafePointer()); i < 0 {
			d.inKey(k)
			return failed
		}
		if !n.always && !key.Elem().Comparable() {
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

// alwaysKey reports whether every t, of a type that keys can have, can be one: only what is in
// an interface may be no key.
func alwaysKey(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Interface:
		return false
	case reflect.Array:
		return alwaysKey(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if !alwaysKey(t.Field(i).Type) {
				return false
			}
		}
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
