package mpplan

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"unsafe"

	"github.com/fb9bb4ed/qsocket/internal/fit"
)

// fields is a struct type as v5 sees it.
type fields struct {
	hot     []member       // those of all that encoding and decoding look at first
	all     []field        // those that are written, in their order, then those that are only read
	written int            // how many are written
	index   map[string]int // into all, by name and alias
	asArray bool           // the struct asks to be an array
	omits   bool           // some field is omitted if empty
	unfit   string         // why the struct cannot be encoded and decoded
	twice   string         // a name that two written fields have, or ""
}

// field is one field of a struct, or of a struct that is inlined in it.
type field struct {
	name      string
	goName    string
	key       string  // name as it is encoded; "" if it stands for another field
	hops      []hop   // embedded pointers on the way to it
	offset    uintptr // after the last hop
	node      *node
	omitEmpty bool

	path  []int // as in reflect.StructField.Index
	clash []int // the fields that cannot arrive together with this one: itself, and those that overlap
}

// member is what is needed of most fields, in one cache line.
type member struct {
	short    uint64  // the field's key in the low bytes
	mask     uint64  // of the bytes of short
	offset   uintptr // of the field in the struct
	bits     uint64  // those of clash, if there are no more than fewFields
	max      uint64  // the largest integer that dec takes
	size     uint8   // of key; 0 if it has none or more than 8 bytes, or there are hops: short and mask do not apply
	enc, dec op      // those of node
}

// fewFields is how many fields a struct may have to be remembered in a word.
const fewFields = 64

// hop is an embedded pointer to a struct.
type hop struct {
	offset uintptr
	typ    reflect.Type // of the struct
	hidden bool         // not exported: the program alone may set it
}

// fieldsOf lists the fields of t by the rules of v5.
func (b *builder) fieldsOf(t reflect.Type) *fields {
	fs := &fields{index: make(map[string]int)}
	if embedsItself(t, nil) {
		fs.unfit = fmt.Sprintf("%v embeds itself", t)
		return fs
	}
	l := lister{names: make(map[string]*field)}
	l.list(t)
	fs.asArray, fs.unfit = l.asArray, l.unfit
	fs.written = len(l.written)
	place := make(map[*field]int)
	for i, f := range append(l.written, l.inlined...) {
		place[f] = i
		fs.omits = fs.omits || f.omitEmpty && i < fs.written
		fs.all = append(fs.all, *f)
	}
	for name, f := range l.names {
		fs.index[name] = place[f]
	}
	for i := range fs.all {
		f := &fs.all[i]
		b.complete(t, f)
		if i < fs.written && fs.index[f.name] != i {
			fs.twice = f.name
			f.key = "" // the name stands for the other one
		}
	}
	for i := range fs.all {
		f := &fs.all[i]
		for j := range fs.all {
			if overlap(f.path, fs.all[j].path) {
				f.clash = append(f.clash, j)
			}
		}
	}
	return fs
}

// overlap reports whether one path leads through the other.
func overlap(a, b []int) bool {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// complete fills in what follows from name and path.
func (b *builder) complete(t reflect.Type, f *field) {
	f.key = string(appendString(nil, f.name))
	hidden := false
	for i, n := range f.path {
		if i > 0 && t.Kind() == reflect.Pointer {
			t = t.Elem()
			f.hops = append(f.hops, hop{f.offset, t, hidden})
			f.offset = 0
		}
		sf := t.Field(n)
		f.offset += sf.Offset
		f.goName, hidden = sf.Name, !sf.IsExported()
		t = sf.Type
	}
	f.node = b.build(t)
}

// finish makes hot, now that all nodes are complete.
func (fs *fields) finish() {
	fs.hot = make([]member, len(fs.all))
	for i := range fs.all {
		f, m := &fs.all[i], &fs.hot[i]
		m.enc, m.dec = f.node.enc, f.node.dec
		m.offset = f.offset
		m.max = f.node.most()
		if m.enc == opSlice && f.node.elem.enc == opString {
			m.enc = opStrings
		}
		if m.dec == opSlice && f.node.elem.dec == opString {
			m.dec = opStrings
		}
		if len(fs.all) <= fewFields {
			for _, j := range f.clash {
				m.bits |= 1 << j
			}
		}
		if f.hops != nil {
			m.dec, m.offset = opReach, 0 // which says nothing before the last hop
		}
		if len(f.key) > 0 && len(f.key) <= 8 && f.hops == nil {
			var k [8]byte
			copy(k[:], f.key)
			m.short = binary.LittleEndian.Uint64(k[:])
			m.mask = ^uint64(0) >> (64 - 8*len(f.key))
			m.size = uint8(len(f.key))
		}
	}
}

// of returns where the field of the struct at p is. An embedded pointer on the
// way may be nil: ok is false then.
func (f *field) of(p unsafe.Pointer) (_ unsafe.Pointer, ok bool) {
	for i := range f.hops {
		p = *(*unsafe.Pointer)(unsafe.Add(p, f.hops[i].offset))
		if p == nil {
			return nil, false
		}
	}
	return unsafe.Add(p, f.offset), true
}

// lister lists fields.
type lister struct {
	written []*field
	inlined []*field          // structs whose fields are among written
	names   map[string]*field // the fields and structs, and aliases of fields
	asArray bool
	unfit   string
}

func (l *lister) list(t reflect.Type) {
	omitAll := false
	for i := range t.NumField() {
		f := t.Field(i)
		tag := parseTag(f.Tag.Get("msgpack"))
		if tag.name == "-" {
			continue
		}
		if f.Name == "_msgpack" {
			l.asArray = tag.has("as_array") || tag.has("asArray")
			omitAll = omitAll || tag.has("omitempty")
		}
		if !f.IsExported() && !f.Anonymous {
			continue
		}
		g := &field{name: tag.name, path: f.Index, omitEmpty: omitAll || tag.has("omitempty")}
		if g.name == "" {
			g.name = f.Name
		}
		if f.Anonymous && !tag.has("noinline") && l.inline(f, tag.has("inline")) {
			l.inlined = append(l.inlined, g)
			l.names[g.name] = g
			continue
		}
		l.add(g)
		if alias, ok := tag.options["alias"]; ok {
			l.names[alias] = g
		}
	}
}

func (l *lister) add(f *field) {
	l.names[f.name] = f
	l.written = append(l.written, f)
}

// repeated returns a name that two of the fields have, or "".
func (l *lister) repeated() string {
	for _, f := range l.written {
		if l.names[f.name] != f {
			return f.name
		}
	}
	return ""
}

// inline adds the fields of the embedded struct f. Unless it is forced to, it
// leaves one alone that has a field of a name that is there already.
func (l *lister) inline(f reflect.StructField, forced bool) (done bool) {
	t := f.Type
	if !forced {
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if !plainStruct(t) {
			return false
		}
	}
	if t.Kind() != reflect.Struct {
		l.unfit = fmt.Sprintf("field %s of type %v is to be inlined, but is no struct", f.Name, f.Type)
		return true
	}
	if forced && fit.Hides(t) {
		l.unfit = fmt.Sprintf("%v is to be inlined, but has no exported fields, so nothing of it would be sent; leave out the option inline", t)
		return true
	}
	inner := lister{names: make(map[string]*field)}
	inner.list(t)
	if name := inner.repeated(); name != "" && inner.unfit == "" {
		inner.unfit = fmt.Sprintf("two fields of %v, which is embedded, are named %q; give one another name by a tag", t, name)
	}
	if inner.unfit != "" {
		l.unfit = inner.unfit
		return true
	}
	if !forced {
		for _, g := range inner.written {
			if l.names[g.name] != nil {
				return false
			}
		}
	}
	for _, g := range inner.written {
		if l.names[g.name] == nil {
			g.path = append(append([]int(nil), f.Index...), g.path...)
			l.add(g)
		}
	}
	return true
}
