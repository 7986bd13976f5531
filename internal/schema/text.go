package schema

import (
	"fmt"
	"strconv"
	"strings"
)

// String returns the text of s.
func (s *Schema) String() string {
	var b strings.Builder
	b.Grow(len(s.text))
	b.WriteString(codecText(s.Codec))
	writeFlags(&b, s.Flags)
	b.WriteString("\nmessage ")
	s.Root.write(&b)
	b.WriteByte('\n')
	for _, d := range s.Defs {
		d.write(&b)
	}
	return b.String()
}

func writeFlags(b *strings.Builder, flags []string) {
	for _, f := range flags {
		b.WriteByte(' ')
		b.WriteString(f)
	}
}

// text returns the lines of d.
func (d *Def) text() string {
	var b strings.Builder
	d.write(&b)
	return b.String()
}

func (d *Def) write(b *strings.Builder) {
	b.WriteString(defNames[d.Kind])
	b.WriteByte(' ')
	b.WriteString(d.Name)
	b.WriteByte('\n')
	for _, f := range d.Fields {
		b.WriteByte(' ')
		b.WriteString(nameText(f.Name))
		b.WriteByte(' ')
		f.Type.write(b)
		if f.Alias != "" {
			b.WriteString(" alias ")
			b.WriteString(nameText(f.Alias))
		}
		b.WriteByte('\n')
	}
	for _, v := range d.Variants {
		b.WriteByte(' ')
		b.WriteString(strconv.FormatUint(v.Tag, 10))
		b.WriteByte(' ')
		b.WriteString(codecText(v.Codec))
		b.WriteByte(' ')
		v.Type.write(b)
		writeFlags(b, v.Flags)
		b.WriteByte('\n')
	}
}

// String returns the type expression.
func (t *Type) String() string {
	var b strings.Builder
	t.write(&b)
	return b.String()
}

func (t *Type) write(b *strings.Builder) {
	switch t.Kind {
	case Slice:
		b.WriteString("[]")
		t.Elem.write(b)
	case Array:
		b.WriteByte('[')
		b.WriteString(strconv.Itoa(t.Len))
		b.WriteByte(']')
		t.Elem.write(b)
	case Map:
		b.WriteString("map[")
		t.Key.write(b)
		b.WriteByte(']')
		t.Elem.write(b)
	case Pointer:
		b.WriteByte('*')
		t.Elem.write(b)
	case Quoted:
		b.WriteString("quoted(")
		t.Elem.write(b)
		b.WriteByte(')')
	case Opaque:
		b.WriteString("opaque(")
		b.WriteString(t.Name)
		b.WriteByte(')')
	case Named:
		b.WriteString(t.Def.Name)
	default:
		b.WriteString(basicNames[t.Kind])
	}
}

// What names consist of that are written as they are, besides letters, digits and _.
const (
	namePunctuation  = "-."
	codecPunctuation = "-.(),+/"
)

// nameText returns a field's name as it is written: bare if it looks like a
// name, quoted otherwise.
func nameText(name string) string { return bareOr(name, namePunctuation) }

// codecText does the same for the name of a codec, such as union(msgpack,gob).
func codecText(name string) string { return bareOr(name, codecPunctuation) }

func isBare(s, punctuation string) bool {
	for i := range len(s) {
		if !isWord(s[i]) && strings.IndexByte(punctuation, s[i]) < 0 {
			return false
		}
	}
	return s != ""
}

func bareOr(s, punctuation string) string {
	if isBare(s, punctuation) {
		return s
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s { // bytes that are not UTF-8 become U+FFFD
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case mustEscape(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// mustEscape reports whether r would break a line, or could not be seen in one.
func mustEscape(r rune) bool {
	return r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029
}

func isWord(c byte) bool {
	return c >= '0' && c <= '9' || c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z'
}
