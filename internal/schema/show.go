package schema

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxPart is how long each part of a difference may be, its path and what each end
// has there, bytes.
const maxPart = 256

// What a peer's description says ends in logs and on terminals. So it is not shown
// as it is written there: names have escapes for all that is not printable, and a
// text keeps its two ends only. The canonical form, which is hashed, is that of
// package-level String and has nothing to do with it.

// part collects a text that may be long, and keeps no more than its ends.
type part struct {
	b   []byte
	cut bool // something has been left out between the first maxPart bytes and the last
}

func (p *part) write(s string) {
	if len(s) > 2*maxPart {
		p.write(s[:maxPart])
		p.squeeze()
		p.cut, s = true, s[len(s)-maxPart:]
	}
	p.b = append(p.b, s...)
	if len(p.b) > 4*maxPart {
		p.squeeze()
	}
}

// squeeze leaves out what is between the ends.
func (p *part) squeeze() {
	if len(p.b) > 2*maxPart {
		n := copy(p.b[maxPart:], p.b[len(p.b)-maxPart:])
		p.b, p.cut = p.b[:maxPart+n], true
	}
}

// String returns the text, of at most maxPart bytes, cut at runes.
func (p *part) String() string {
	if !p.cut && len(p.b) <= maxPart {
		return string(p.b)
	}
	const mark = "…"
	head := (maxPart - len(mark)) / 2
	tail := len(p.b) - (maxPart - len(mark) - head)
	for !utf8.RuneStart(p.b[head]) {
		head--
	}
	for tail < len(p.b) && !utf8.RuneStart(p.b[tail]) {
		tail++
	}
	return string(p.b[:head]) + mark + string(p.b[tail:])
}

// field writes the name of a field: bare if it looks like one, quoted otherwise.
func (p *part) field(s string) { p.quoted(s, namePunctuation) }

// codec writes the name of a codec.
func (p *part) codec(s string) { p.quoted(s, codecPunctuation) }

func (p *part) quoted(s, punctuation string) {
	if isBare(s, punctuation) {
		p.write(s)
		return
	}
	p.b = append(p.b, '"')
	for _, r := range s { // names have at most maxName bytes, so this is bounded
		switch {
		case r == '"' || r == '\\':
			p.b = append(p.b, '\\', byte(r))
		case strconv.IsPrint(r):
			p.b = utf8.AppendRune(p.b, r)
		case r <= 0xffff:
			p.b = appendHex(append(p.b, `\u`...), r, 4)
		default:
			p.b = appendHex(append(p.b, `\U`...), r, 8)
		}
	}
	p.write(`"`)
}

func appendHex(b []byte, r rune, digits int) []byte {
	for i := digits - 1; i >= 0; i-- {
		b = append(b, "0123456789abcdef"[r>>(4*i)&0xf])
	}
	return b
}

func shownName(s string) string {
	var p part
	p.field(s)
	return p.String()
}

func shownCodec(s string) string {
	var p part
	p.codec(s)
	return p.String()
}

// shown returns a type expression as a difference shows it. Names of types are ASCII.
func (t *Type) shown() string {
	if len(t.text) <= maxPart {
		return strings.Clone(t.text) // a difference must not keep the whole description alive
	}
	var p part
	p.write(t.text)
	return p.String()
}

// fieldList is what a difference calls a struct of which no field is known.
func fieldList(d *Def) string {
	var p part
	p.write("{")
	for i, f := range d.Fields {
		if i > 0 {
			p.write(", ")
		}
		if i == 4 {
			p.write("…")
			break
		}
		p.field(f.Name)
	}
	p.write("}")
	return p.String()
}

// clip quotes the beginning of s, which a stranger may have written, for an error.
func clip(s string) string {
	const most = 40
	if len(s) <= most {
		return strconv.Quote(s)
	}
	n := most
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return strconv.Quote(s[:n]) + "…"
}
