package value

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/fb9bb4ed/qsocket/internal/schema"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// union is a form with cases behind tags.
type union struct {
	byTag  map[uint64]*variant
	byName map[string]*variant
	names  []string // of all cases, for errors
	every  *form    // of all cases, where there is no description and one codec; or nil
}

type variant struct {
	tag  uint64
	name string // "": none of its own
	form *form
}

func newUnion(codec string, t *schema.Type, fields fields) *union {
	u := &union{byTag: make(map[uint64]*variant), byName: make(map[string]*variant)}
	d := defOf(t)
	if d == nil || d.Kind != schema.UnionDef {
		if inner := codec[len("union(") : len(codec)-1]; isOne(inner) {
			u.every = newForm(inner, nil, nil, nil)
		}
		return u
	}
	uses := make(map[string]int)
	for i := range d.Variants {
		uses[caseName(&d.Variants[i])]++
	}
	for i := range d.Variants {
		v := &d.Variants[i]
		c := &variant{tag: v.Tag, form: newForm(v.Codec, v.Type, v.Flags, fields)}
		if v.Type.Kind == schema.Opaque {
			c.form.typ = nil
		}
		shown := strconv.FormatUint(v.Tag, 10)
		if name := caseName(v); uses[name] == 1 {
			c.name, shown = name, name
			u.byName[name] = c
		}
		u.byTag[v.Tag] = c
		u.names = append(u.names, shown)
	}
	return u
}

// isOne reports whether what stands in the name of a union is the name of one codec.
func isOne(codecs string) bool {
	depth := 0
	for _, c := range codecs {
		switch c {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth == 0 {
				return false
			}
		}
	}
	return codecs != ""
}

// caseName returns what a case is called: the name of its struct, or of its Go type in lower
// case, or what it is.
func caseName(v *schema.Variant) string {
	if d := defOf(v.Type); d != nil {
		return d.Name
	}
	for _, flag := range v.Flags {
		if name, ok := strings.CutPrefix(flag, "name-"); ok {
			return name
		}
	}
	t := v.Type
	for t.Kind == schema.Pointer {
		t = t.Elem
	}
	if t.Kind == schema.Opaque {
		return t.Name
	}
	return kindName(t.Kind)
}

// Case returns the name of the case that payload is of, or its tag. ok is false for messages
// that are no unions, and for a payload without a tag.
func (c *Codec) Case(payload []byte) (name string, ok bool) {
	if c.root.kind != formUnion {
		return "", false
	}
	n, tag, err := wire.ParseUvarint(payload)
	if err != nil || n == 0 {
		return "", false
	}
	if v := c.root.union.byTag[tag]; v != nil && v.name != "" {
		return v.name, true
	}
	return strconv.FormatUint(tag, 10), true
}

func (u *union) decode(w *writer, payload []byte) error {
	n, tag, err := wire.ParseUvarint(payload)
	if err != nil || n == 0 {
		return fmt.Errorf("want the tag of a case, a varint in its shortest form, got % x", payload[:min(len(payload), binary.MaxVarintLen64)])
	}
	form := u.every
	w.open("case")
	v := u.byTag[tag]
	if v != nil && v.name != "" {
		w.string([]byte(v.name))
	} else {
		w.b = strconv.AppendUint(w.b, tag, 10)
	}
	if v != nil {
		form = v.form
	}
	rest := payload[n:]
	if form == nil || form.kind == formRaw {
		w.b = append(w.b, `,"$raw":"`...)
		w.b = base64.StdEncoding.AppendEncode(w.b, rest)
		w.b = append(w.b, `"}`...)
		return nil
	}
	w.b = append(w.b, `,"value":`...)
	if err := form.decode(w, rest); err != nil {
		return fmt.Errorf("case %d: %w", tag, err)
	}
	w.byte('}')
	return nil
}

func (u *union) encode(dst []byte, n *node) ([]byte, error) {
	name, value, raw := n.get("case"), n.get("value"), n.get("$raw")
	switch {
	case n.kind != objectNode || name == nil || len(n.keys) != 2 || value == nil && raw == nil:
		return dst, fmt.Errorf(`want {"case":…,"value":…} with one of the cases %s, got %s`, u.cases(), n.showKeys())
	case name.kind != stringNode && name.kind != numberNode:
		return dst, at(".case", name.want("the name of a case, or its tag"))
	}
	v := u.byName[name.text]
	tag, ok := parseInteger(name.text)
	switch {
	case name.kind == stringNode && v == nil:
		return dst, at(".case", fmt.Errorf("no case %s, want one of: %s", clip(name.text), u.cases()))
	case name.kind == numberNode && (!ok || tag.negative):
		return dst, at(".case", name.want("the name of a case, or its tag"))
	case name.kind == numberNode:
		v = u.byTag[tag.bits]
	default:
		tag.bits = v.tag
	}
	start := len(dst)
	dst = binary.AppendUvarint(dst, tag.bits)
	if raw != nil {
		return n.appendBase64(dst, raw, "$raw")
	}
	form := u.every
	if v != nil {
		form = v.form
	}
	if form == nil {
		return dst[:start], at(".case", fmt.Errorf(`no case %d, want one of: %s; with "$raw" its payload is sent as it is`, tag.bits, u.cases()))
	}
	b, err := form.encode(dst, value)
	if err != nil {
		return dst[:start], fmt.Errorf("case %s: %w", name.show(), err)
	}
	return b, nil
}

// cases lists the names of the cases.
func (u *union) cases() string {
	if len(u.names) == 0 {
		return "(not described)"
	}
	if len(u.names) > 12 {
		return strings.Join(u.names[:12], ", ") + fmt.Sprintf(" and %d more", len(u.names)-12)
	}
	return strings.Join(u.names, ", ")
}

// showKeys is show, with the keys of an object.
func (n *node) showKeys() string {
	if n.kind != objectNode || len(n.keys) == 0 {
		return n.show()
	}
	keys := make([]string, 0, 4)
	for _, k := range n.keys[:min(len(n.keys), 4)] {
		keys = append(keys, clip(k))
	}
	return "an object with " + strings.Join(keys, ", ")
}
