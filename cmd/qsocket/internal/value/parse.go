package value

import (
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxNesting bounds the nesting of a text: a map of a payload may take three levels of it.
const maxNesting = 3*MaxDepth + 8

// parse reads a text. It refuses what encoding/json would change without an error: text that is
// not UTF-8, lone surrogates, a key that is there twice.
func parse(text []byte) (*node, error) {
	p := parser{s: string(text)}
	if !utf8.ValidString(p.s) {
		return nil, fmt.Errorf("not JSON: it is not UTF-8")
	}
	n := new(node)
	p.space()
	err := p.value(n, 0)
	if p.space(); err == nil && p.i < len(p.s) {
		err = p.want("the end of the value")
	}
	if err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	return n, nil
}

type parser struct {
	s string
	i int
}

func (p *parser) space() {
	for p.i < len(p.s) && strings.IndexByte(" \t\r\n", p.s[p.i]) >= 0 {
		p.i++
	}
}

// want says what is missing at the place that has been reached.
func (p *parser) want(what string) error {
	if p.i >= len(p.s) {
		return fmt.Errorf("want %s at byte %d, where it ends", what, p.i)
	}
	return fmt.Errorf("want %s at byte %d, got %s", what, p.i, quote(p.s[p.i:min(p.i+16, len(p.s))]))
}

// take takes c, if it comes next.
func (p *parser) take(c byte) bool {
	if p.i < len(p.s) && p.s[p.i] == c {
		p.i++
		return true
	}
	return false
}

func (p *parser) value(n *node, depth int) (err error) {
	if p.i == len(p.s) {
		return p.want("a value")
	}
	switch c := p.s[p.i]; {
	case c == '{' || c == '[':
		if depth == maxNesting {
			return fmt.Errorf("nested deeper than %d levels at byte %d", maxNesting, p.i)
		}
		p.i++
		if c == '{' {
			return p.object(n, depth+1)
		}
		return p.array(n, depth+1)
	case c == '"':
		n.kind = stringNode
		n.text, err = p.string()
		return err
	case c == '-' || c >= '0' && c <= '9':
		n.kind = numberNode
		return p.number(n)
	case p.literal("null"):
		return nil
	case p.literal("true"):
		*n = node{kind: boolNode, text: "true"}
		return nil
	case p.literal("false"):
		*n = node{kind: boolNode, text: "false"}
		return nil
	}
	return p.want("a value")
}

func (p *parser) literal(s string) bool {
	if strings.HasPrefix(p.s[p.i:], s) {
		p.i += len(s)
		return true
	}
	return false
}

func (p *parser) array(n *node, depth int) error {
	n.kind = arrayNode
	if p.space(); p.take(']') {
		return nil
	}
	for {
		p.space()
		n.list = append(n.list, node{})
		if err := p.value(&n.list[len(n.list)-1], depth); err != nil {
			return err
		}
		p.space()
		if p.take(']') {
			return nil
		}
		if !p.take(',') {
			return p.want("a comma or ]")
		}
	}
}

func (p *parser) object(n *node, depth int) error {
	n.kind = objectNode
	if p.space(); p.take('}') {
		return nil
	}
	var seen map[string]bool
	for {
		p.space()
		if p.i == len(p.s) || p.s[p.i] != '"' {
			return p.want("a key in quotes")
		}
		start := p.i
		key, err := p.string()
		if err != nil {
			return err
		}
		if seen == nil {
			seen = make(map[string]bool)
		}
		if seen[key] {
			return fmt.Errorf("the key %s is there twice, at byte %d again", clip(key), start)
		}
		seen[key] = true
		if p.space(); !p.take(':') {
			return p.want("a colon")
		}
		p.space()
		n.keys, n.list = append(n.keys, key), append(n.list, node{})
		if err := p.value(&n.list[len(n.list)-1], depth); err != nil {
			return err
		}
		p.space()
		if p.take('}') {
			return nil
		}
		if !p.take(',') {
			return p.want("a comma or }")
		}
	}
}

func (p *parser) digits() bool {
	start := p.i
	for p.i < len(p.s) && p.s[p.i] >= '0' && p.s[p.i] <= '9' {
		p.i++
	}
	return p.i > start
}

func (p *parser) number(n *node) error {
	start := p.i
	p.take('-')
	if !p.take('0') && !p.digits() {
		return p.want("a digit")
	}
	if p.take('.') && !p.digits() {
		return p.want("a digit")
	}
	if p.take('e') || p.take('E') {
		if !p.take('+') {
			p.take('-')
		}
		if !p.digits() {
			return p.want("a digit")
		}
	}
	n.text = p.s[start:p.i]
	return nil
}

// string reads the string that begins at p.i.
func (p *parser) string() (string, error) {
	start := p.i
	p.i++
	from := p.i
	var b []byte
	for p.i < len(p.s) {
		switch c := p.s[p.i]; {
		case c == '"':
			s := p.s[from:p.i]
			p.i++
			if b == nil {
				return s, nil
			}
			return string(append(b, s...)), nil
		case c < ' ':
			return "", p.want("an escape for a control character")
		case c == '\\':
			b = append(b, p.s[from:p.i]...)
			var err error
			if b, err = p.escape(b); err != nil {
				return "", err
			}
			from = p.i
		default:
			p.i++
		}
	}
	return "", fmt.Errorf("the string at byte %d is not closed", start)
}

var escapes = map[byte]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

func (p *parser) escape(b []byte) ([]byte, error) {
	start := p.i
	p.i++
	if p.i == len(p.s) {
		return nil, p.want("an escape")
	}
	c := p.s[p.i]
	if plain, ok := escapes[c]; ok {
		p.i++
		return append(b, plain), nil
	}
	p.i = start
	r, ok := p.hex()
	if !ok {
		return nil, p.want("an escape")
	}
	if utf16.IsSurrogate(r) {
		second, ok := p.hex()
		if r = utf16.DecodeRune(r, second); !ok || r == utf8.RuneError {
			p.i = start
			return nil, p.want("both halves of a surrogate pair")
		}
	}
	return utf8.AppendRune(b, r), nil
}

// hex reads an escape with four digits.
func (p *parser) hex() (r rune, ok bool) {
	if len(p.s)-p.i < 6 || p.s[p.i] != '\\' || p.s[p.i+1] != 'u' {
		return 0, false
	}
	for _, c := range []byte(p.s[p.i+2 : p.i+6]) {
		d := strings.IndexByte(hexDigits, c|0x20)
		if c < '0' || d < 0 || d < 10 && c > '9' {
			return 0, false
		}
		r = r<<4 | rune(d)
	}
	p.i += 6
	return r, true
}
