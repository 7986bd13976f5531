package value

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/jsonscan"
	"github.com/fb9bb4ed/qsocket/internal/schema"
)

// decodeJSON appends a payload of JSON, on one line, with what is not printable escaped.
func decodeJSON(w *writer, payload []byte) error {
	if err := jsonscan.Scan(payload); err != nil {
		return err
	}
	if !json.Valid(payload) {
		var raw json.RawMessage
		if err := json.Unmarshal(payload, &raw); err != nil {
			return fmt.Errorf("json: %w", err)
		}
		return errors.New("json: payload is no value")
	}
	p := parser{s: string(payload)}
	for p.i < len(p.s) {
		switch c := p.s[p.i]; c {
		case ' ', '\t', '\r', '\n':
			p.i++
		case '"':
			s, err := p.string()
			if err != nil {
				return err
			}
			w.string([]byte(s))
		default:
			w.byte(c)
			p.i++
		}
	}
	return w.check()
}

// encodeJSON appends the payload of JSON that n stands for.
func (f *form) encodeJSON(dst []byte, n *node) ([]byte, error) {
	if f.typ != nil {
		if err := inMessage(f.typ, f.checkJSON(n, f.typ)); err != nil {
			return dst, err
		}
	}
	return appendJSON(dst, n, 0)
}

func appendJSON(b []byte, n *node, depth int) (_ []byte, err error) {
	if depth > MaxDepth {
		return b, fmt.Errorf("nested deeper than %d levels", MaxDepth)
	}
	switch n.kind {
	case nullNode:
		return append(b, "null"...), nil
	case boolNode, numberNode:
		return append(b, n.text...), nil
	case stringNode:
		return appendJSONString(b, n.text), nil
	}
	ends := "[]"
	if n.kind == objectNode {
		ends = "{}"
	}
	if depth == MaxDepth {
		return b, fmt.Errorf("nested deeper than %d levels", MaxDepth)
	}
	b = append(b, ends[0])
	for i := range n.list {
		if i > 0 {
			b = append(b, ',')
		}
		if n.kind == objectNode {
			b = append(appendJSONString(b, n.keys[i]), ':')
		}
		if b, err = appendJSON(b, &n.list[i], depth+1); err != nil {
			return b, err
		}
	}
	return append(b, ends[1]), nil
}

// appendJSONString appends s as the library's codec does: as encoding/json, without escapes for
// HTML.
func appendJSONString(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\' || r == '\n' || r == '\r' || r == '\t':
			b = appendEscape(b, r)
		case r == '\b':
			b = append(b, `\b`...)
		case r == '\f':
			b = append(b, `\f`...)
		case r < ' ' || r == 0x2028 || r == 0x2029:
			b = appendEscape(b, r)
		default:
			b = append(b, string(r)...)
		}
	}
	return append(b, '"')
}

// checkJSON returns an error if n is no value of type t, as encoding/json has it.
func (f *form) checkJSON(n *node, t *schema.Type) error {
	if n.kind == nullNode {
		return nil
	}
	switch k := t.Kind; k {
	case schema.Any, schema.Opaque:
		return nil
	case schema.Pointer:
		return f.checkJSON(n, t.Elem)
	case schema.Quoted:
		return f.checkQuoted(n, t.Elem)
	case schema.Slice:
		return f.checkList(n, t, math.MaxInt)
	case schema.Array:
		return f.checkList(n, t, t.Len)
	case schema.Map:
		return f.checkMap(n, t)
	case schema.Named:
		return f.checkStruct(n, t.Def)
	case schema.Bool:
		if n.kind != boolNode {
			return n.want("bool")
		}
	case schema.String:
		if n.kind != stringNode {
			return n.want("a string")
		}
	case schema.Bytes:
		_, err := n.appendBase64(nil, n, "")
		return err
	case schema.Time:
		if _, err := time.Parse(time.RFC3339, n.text); n.kind != stringNode || err != nil {
			return n.want("a time such as 2026-01-02T03:04:05.678Z")
		}
	case schema.Float32, schema.Float64:
		if n.kind != numberNode {
			return n.want("a number")
		}
		_, err := n.float(k)
		return err
	case schema.Complex:
		return errors.New("complex numbers have no form in JSON")
	default:
		if n.kind != numberNode {
			return n.want(kindName(k))
		}
		_, err := integerOf(n.text, k)
		return err
	}
	return nil
}

// checkQuoted is checkJSON for a value that is in a string.
func (f *form) checkQuoted(n *node, t *schema.Type) error {
	if n.kind != stringNode {
		return n.want("a string with " + kindName(t.Kind) + " in it")
	}
	inner, err := parse([]byte(n.text))
	if err != nil {
		return fmt.Errorf("want %s in a string, got %s", kindName(t.Kind), n.show())
	}
	return f.checkJSON(inner, t)
}

func (f *form) checkList(n *node, t *schema.Type, most int) error {
	if n.kind != arrayNode {
		return n.want("an array")
	}
	if len(n.list) > most {
		return fmt.Errorf("%d elements for %d", len(n.list), most)
	}
	for i := range n.list {
		if err := f.checkJSON(&n.list[i], t.Elem); err != nil {
			return at(element(i), err)
		}
	}
	return nil
}

func (f *form) checkMap(n *node, t *schema.Type) error {
	if n.kind != objectNode {
		return n.want("an object")
	}
	for i, key := range n.keys {
		err := error(nil)
		if isInt(t.Key.Kind) {
			if err = parseKey(key); err == nil {
				_, err = integerOf(key, t.Key.Kind)
			}
		}
		if err == nil {
			err = f.checkJSON(&n.list[i], t.Elem)
		}
		if err != nil {
			return at("["+clip(key)+"]", err)
		}
	}
	return nil
}

func (f *form) checkStruct(n *node, def *schema.Def) error {
	if n.kind != objectNode {
		return n.want("an object")
	}
	var seen seen
	for i, key := range n.keys {
		k, ok := f.fields[def][key]
		for j := 0; !ok && j < len(def.Fields); j++ { // as encoding/json does
			if strings.EqualFold(def.Fields[j].Name, key) {
				k, ok = j, true
			}
		}
		if !ok {
			return noField(key, def)
		}
		name := def.Fields[k].Name
		if seen.add(k) {
			return at("."+name, errors.New("the field is there twice"))
		}
		if err := f.checkJSON(&n.list[i], def.Fields[k].Type); err != nil {
			return at("."+name, err)
		}
	}
	return nil
}
