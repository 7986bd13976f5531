package schema

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Parse reads a text, which may come from a stranger. What is not written in
// the one form that String writes is refused.
func Parse(text string) (*Schema, error) { return ParseContext(context.Background(), text) }

// ParseContext is Parse, and gives up when ctx ends, with an error that wraps ctx's.
func ParseContext(ctx context.Context, text string) (*Schema, error) {
	if len(text) > MaxText {
		return nil, fmt.Errorf("schema: text of %d bytes, want at most %d", len(text), MaxText)
	}
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("schema: text is not UTF-8")
	}
	p := &parser{ctx: ctx, rest: text, defs: make(map[string]*Def), names: make(map[string]*Def)}
	s, err := p.schema()
	if err != nil {
		return nil, fmt.Errorf("schema: line %d: %w", p.line, err)
	}
	if line := firstDifference(s.String(), text); line > 0 {
		return nil, fmt.Errorf("schema: line %d: not in canonical form", line)
	}
	s.text = text
	s.settle()
	return s, nil
}

// firstDifference returns the number of the first line in which a and b differ, or 0.
func firstDifference(a, b string) int {
	if a == b {
		return 0
	}
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return 1 + strings.Count(a[:n], "\n")
}

// parser reads a text line by line. In a canonical text the definitions come in
// the order in which they are first used, so one pass sees every name before its
// definition.
type parser struct {
	rest string // of the text
	line int    // number of the current line, for errors
	cur  string // what is left of it

	defs    map[string]*Def
	used    []*Def          // in order of their first use
	defined int             // how many of used have been defined
	names   map[string]*Def // the last one that has a field of this name
	types   uint32          // how many there are

	ctx   context.Context
	steps int // lines, types and flags
}

// step counts a unit of work, and returns ctx's error if it has ended.
func (p *parser) step() error {
	if p.steps++; p.steps%lookEvery == 0 {
		return p.ctx.Err()
	}
	return nil
}

// next takes the next line, or returns false at the end.
func (p *parser) next() (bool, error) {
	if p.rest == "" {
		return false, nil
	}
	if err := p.step(); err != nil {
		return false, err
	}
	p.line++
	line, rest, ok := strings.Cut(p.rest, "\n")
	if !ok {
		return false, fmt.Errorf("line is not ended by a newline")
	}
	p.cur, p.rest = line, rest
	return true, nil
}

// must takes the next line, which has to be there.
func (p *parser) must(what string) error {
	ok, err := p.next()
	if err == nil && !ok {
		p.line++
		err = fmt.Errorf("text ends where %s is expected", what)
	}
	return err
}

func (p *parser) schema() (*Schema, error) {
	s := &Schema{}
	err := p.must("the name of a codec")
	if err != nil {
		return nil, err
	}
	if s.Codec, err = p.name(); err != nil {
		return nil, err
	}
	if s.Flags, err = p.flags(); err != nil {
		return nil, err
	}
	if err = p.must("a message"); err != nil {
		return nil, err
	}
	if !p.word("message") {
		return nil, fmt.Errorf("got %s, want message and a type", clip(p.cur))
	}
	if s.Root, err = p.typ(true); err != nil {
		return nil, err
	}
	if p.cur != "" {
		return nil, fmt.Errorf("%s after the type of the message", clip(p.cur))
	}
	more, err := p.next()
	for more && err == nil {
		more, err = p.definition()
	}
	if err != nil {
		return nil, err
	}
	if p.defined < len(p.used) {
		p.line++
		return nil, fmt.Errorf("text ends where the definition of %s is expected", p.used[p.defined].Name)
	}
	s.Defs = p.used
	return s, nil
}

// definition reads a definition, whose first line has been taken, and takes the
// line after it.
func (p *parser) definition() (more bool, err error) {
	kind := StructDef
	switch {
	case p.word("struct"):
	case p.word("tuple"):
		kind = TupleDef
	case p.word("union"):
		kind = UnionDef
	default:
		return false, fmt.Errorf("got %s, want struct, tuple or union", clip(p.cur))
	}
	if p.defined == len(p.used) {
		return false, fmt.Errorf("definition of %s, which is not used before", clip(p.cur))
	}
	d := p.used[p.defined]
	if p.cur != d.Name {
		return false, fmt.Errorf("definition of %s, want the one of %s, which is used first", clip(p.cur), d.Name)
	}
	if kind == UnionDef && d.nested {
		return false, fmt.Errorf("union %s is part of another type, want it to be a message or a case", d.Name)
	}
	p.defined++
	d.Kind = kind
	body, size := p.rest, 0
	if n := indented(body); kind == UnionDef {
		d.Variants = make([]Variant, 0, n)
	} else {
		d.Fields = make([]Field, 0, n)
	}
	for {
		size = len(body) - len(p.rest)
		more, err := p.next()
		if err != nil || !more || !strings.HasPrefix(p.cur, " ") {
			d.fields = body[:size]
			return more, err
		}
		p.cur = p.cur[1:]
		if kind == UnionDef {
			err = p.variant(d)
		} else {
			err = p.field(d)
		}
		if err != nil {
			return false, err
		}
		if p.cur != "" {
			return false, fmt.Errorf("unexpected %s", clip(p.cur))
		}
	}
}

// indented counts the lines that begin with a space, up to one that does not.
func indented(text string) (n int) {
	for strings.HasPrefix(text, " ") {
		n++
		_, text, _ = strings.Cut(text, "\n")
	}
	return n
}

func (p *parser) field(d *Def) error {
	var f Field
	var err error
	if f.Name, err = p.name(); err != nil {
		return err
	}
	if !p.word("") {
		return fmt.Errorf("field %s has no type", clip(f.Name))
	}
	if f.Type, err = p.typ(false); err != nil {
		return err
	}
	if p.word(" alias") {
		if f.Alias, err = p.name(); err != nil {
			return err
		}
		if p.names[f.Alias] == d || f.Alias == f.Name || f.Alias == "" {
			return fmt.Errorf("alias %s is the name of another field, or none", clip(f.Alias))
		}
		p.names[f.Alias] = d
	}
	if p.names[f.Name] == d {
		return fmt.Errorf("field %s is there twice", clip(f.Name))
	}
	p.names[f.Name] = d
	d.Fields = append(d.Fields, f)
	return nil
}

func (p *parser) variant(d *Def) error {
	var v Variant
	var err error
	if v.Tag, err = p.number(1<<64 - 1); err != nil {
		return err
	}
	if n := len(d.Variants); n > 0 && d.Variants[n-1].Tag >= v.Tag {
		return fmt.Errorf("case %d after case %d, want them in order", v.Tag, d.Variants[n-1].Tag)
	}
	if !p.word("") {
		return fmt.Errorf("case %d has no codec", v.Tag)
	}
	if v.Codec, err = p.name(); err != nil {
		return err
	}
	if !p.word("") {
		return fmt.Errorf("case %d has no type", v.Tag)
	}
	if v.Type, err = p.typ(true); err != nil {
		return err
	}
	v.Flags, err = p.flags()
	d.Variants = append(d.Variants, v)
	return err
}

// flags reads lower-case words up to the end of the line. Which of them exist is
// not asked: another version may know more.
func (p *parser) flags() (flags []string, err error) {
	for p.word("") {
		if err := p.step(); err != nil {
			return nil, err
		}
		n := 0
		for n < len(p.cur) && (p.cur[n] == '-' || p.cur[n] >= 'a' && p.cur[n] <= 'z' || n > 0 && p.cur[n] >= '0' && p.cur[n] <= '9') {
			n++
		}
		f := p.cur[:n]
		if n == 0 || len(flags) > 0 && flags[len(flags)-1] >= f {
			return nil, fmt.Errorf("got %s, want flags in lower case and alphabetical order", clip(p.cur))
		}
		flags, p.cur = append(flags, f), p.cur[n:]
	}
	if p.cur != "" {
		return nil, fmt.Errorf("got %s, want flags", clip(p.cur))
	}
	return slices.Clip(flags), nil
}

// word takes s and a space from the beginning of the line, if they are there.
func (p *parser) word(s string) bool {
	rest, ok := strings.CutPrefix(p.cur, s)
	if !ok || !strings.HasPrefix(rest, " ") {
		return false
	}
	p.cur = rest[1:]
	return true
}
