package schema

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// typ reads a type expression. top says that it may be a union.
func (p *parser) typ(top bool) (*Type, error) { return p.nestedType(maxDepth, top) }

func (p *parser) nestedType(depth int, top bool) (*Type, error) {
	if err := p.step(); err != nil {
		return nil, err
	}
	begin := p.cur
	t, err := p.anyType(depth, top)
	if err == nil && t.Kind >= numBasic { // those without parts are shared
		p.types++
		t.number, t.text, t.holds = p.types, begin[:len(begin)-len(p.cur)], t.ownHolds()
	}
	return t, err
}

func (p *parser) anyType(depth int, top bool) (*Type, error) {
	if depth == 0 {
		return nil, fmt.Errorf("type is nested deeper than %d levels", maxDepth)
	}
	switch {
	case p.take("*"):
		elem, err := p.nestedType(depth-1, false)
		if err == nil && elem.Kind == Pointer {
			err = errors.New("pointer to a pointer, want one of them")
		}
		return &Type{Kind: Pointer, Elem: elem}, err

	case p.take("[]"):
		elem, err := p.nestedType(depth-1, false)
		return &Type{Kind: Slice, Elem: elem}, err

	case p.take("["):
		n, err := p.number(1<<31 - 1)
		if err == nil && !p.take("]") {
			err = fmt.Errorf("got %s, want the ] behind the length of an array", clip(p.cur))
		}
		if err != nil {
			return nil, err
		}
		elem, err := p.nestedType(depth-1, false)
		return &Type{Kind: Array, Len: int(n), Elem: elem}, err

	case p.take("map["):
		key, err := p.nestedType(depth-1, false)
		if err == nil && !p.take("]") {
			err = fmt.Errorf("got %s, want the ] behind the key of a map", clip(p.cur))
		}
		if err != nil {
			return nil, err
		}
		elem, err := p.nestedType(depth-1, false)
		return &Type{Kind: Map, Key: key, Elem: elem}, err

	case p.take("quoted("):
		elem, err := p.nestedType(depth-1, false)
		if err == nil && (!isNumber(elem.Kind) && elem.Kind != Bool && elem.Kind != String || !p.take(")")) {
			err = errors.New("want a number, bool or string and a ) behind quoted(")
		}
		return &Type{Kind: Quoted, Elem: elem}, err

	case p.take("opaque("):
		name := p.identifier()
		if name == "" || !p.take(")") {
			return nil, errors.New("want a name and a ) behind opaque(")
		}
		return &Type{Kind: Opaque, Name: name}, nil
	}

	name := p.identifier()
	if name == "" {
		return nil, fmt.Errorf("got %s, want a type", clip(p.cur))
	}
	if t := basicByName[name]; t != nil {
		return t, nil
	}
	if reserved[name] {
		return nil, fmt.Errorf("%s is not the name of a type", name)
	}
	d := p.defs[name]
	if d == nil {
		d = &Def{Name: name, id: len(p.used)}
		p.defs[name] = d
		p.used = append(p.used, d)
	}
	if !top || depth < maxDepth {
		if d.Kind == UnionDef {
			return nil, fmt.Errorf("union %s is part of another type, want it to be a message or a case", name)
		}
		d.nested = true
	}
	return &Type{Kind: Named, Def: d}, nil
}

func (p *parser) take(s string) (ok bool) {
	p.cur, ok = strings.CutPrefix(p.cur, s)
	return ok
}

// identifier takes the name of a type, "" if there is none.
func (p *parser) identifier() string {
	n := 0
	for n < len(p.cur) && isWord(p.cur[n]) {
		n++
	}
	name := p.cur[:n]
	if n == 0 || n > maxName || name[0] >= '0' && name[0] <= '9' {
		return ""
	}
	p.cur = p.cur[n:]
	return name
}

// number takes decimal digits.
func (p *parser) number(most uint64) (uint64, error) {
	n := 0
	for n < len(p.cur) && p.cur[n] >= '0' && p.cur[n] <= '9' {
		n++
	}
	v, err := strconv.ParseUint(p.cur[:n], 10, 64)
	if err != nil || v > most || n > 1 && p.cur[0] == '0' {
		return 0, fmt.Errorf("got %s, want a number up to %d", clip(p.cur), most)
	}
	p.cur = p.cur[n:]
	return v, nil
}

// name takes the name of a field or a codec, bare or quoted. That it is written
// in the right one of the two ways is checked at the end, with all the text.
func (p *parser) name() (string, error) {
	name, err := p.anyName()
	if err == nil && len(name) > maxName {
		err = fmt.Errorf("name of %d bytes, want at most %d", len(name), maxName)
	}
	return name, err
}

func (p *parser) anyName() (string, error) {
	if !strings.HasPrefix(p.cur, `"`) {
		n := strings.IndexByte(p.cur, ' ')
		if n < 0 {
			n = len(p.cur)
		}
		if n == 0 {
			return "", fmt.Errorf("got %s, want a name", clip(p.cur))
		}
		name := p.cur[:n]
		p.cur = p.cur[n:]
		return name, nil
	}
	var b strings.Builder
	for s := p.cur[1:]; s != ""; {
		switch {
		case s[0] == '"':
			p.cur = s[1:]
			return b.String(), nil
		case s[0] != '\\':
			_, n := utf8.DecodeRuneInString(s)
			b.WriteString(s[:n])
			s = s[n:]
		case len(s) > 1 && s[1] != 'u':
			b.WriteByte(s[1])
			s = s[2:]
		default:
			if len(s) < 6 {
				return "", errors.New("name ends within an escape")
			}
			v, err := strconv.ParseUint(s[2:6], 16, 16)
			if err != nil || v >= 0xd800 && v < 0xe000 {
				return "", fmt.Errorf("escape %q in a name", s[:6])
			}
			b.WriteRune(rune(v))
			s = s[6:]
		}
	}
	return "", errors.New("name has no quote at its end")
}
