package value

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/fb9bb4ed/qsocket/internal/mpscan"
	"github.com/fb9bb4ed/qsocket/internal/schema"
)

// encodeMsgpack appends the payload of MessagePack that n stands for.
func (f *form) encodeMsgpack(dst []byte, n *node) ([]byte, error) {
	e := &encoder{b: dst, form: f}
	var err error
	if f.typ == nil {
		err = e.any(n)
	} else {
		err = inMessage(f.typ, e.value(n, f.typ))
	}
	if err != nil {
		return dst, err
	}
	return e.b, nil
}

type encoder struct {
	b     []byte
	form  *form
	depth int
}

// inside runs f inside of an array or a map.
func (e *encoder) inside(f func() error) error {
	if e.depth == MaxDepth {
		return fmt.Errorf("nested deeper than %d levels", MaxDepth)
	}
	e.depth++
	err := f()
	e.depth--
	return err
}

// value appends n, which is to be of type t.
func (e *encoder) value(n *node, t *schema.Type) error {
	if n.kind == nullNode {
		e.b = append(e.b, 0xc0)
		return nil
	}
	switch t.Kind {
	case schema.Any, schema.Opaque:
		return e.any(n)
	case schema.Pointer, schema.Quoted:
		return e.value(n, t.Elem)
	case schema.Slice:
		return e.list(n, t, math.MaxInt)
	case schema.Array:
		if t.Elem.Kind == schema.Uint8 {
			return e.bytes(n, t.Len)
		}
		return e.list(n, t, t.Len)
	case schema.Map:
		return e.mapping(n, t)
	case schema.Named:
		return e.structure(n, t.Def)
	case schema.Bytes:
		return e.bytes(n, math.MaxInt)
	}
	return e.basic(n, t.Kind)
}

func (e *encoder) basic(n *node, k schema.Kind) error {
	switch {
	case k == schema.Bool && n.kind == boolNode:
		e.bool(n)
	case k == schema.String:
		return e.text(n)
	case k == schema.Time:
		sec, nsec, err := n.time()
		e.b = appendTime(e.b, sec, nsec)
		return err
	case k == schema.Float32:
		bits, err := n.float(k)
		e.b = append(e.b, 0xca, byte(bits>>24), byte(bits>>16), byte(bits>>8), byte(bits))
		return err
	case k == schema.Float64:
		bits, err := n.float(k)
		e.float64(bits)
		return err
	case k == schema.Complex:
		return errors.New("complex numbers have no form in MessagePack")
	case isInt(k):
		return e.integer(n, k)
	default:
		return n.want(kindName(k))
	}
	return nil
}

func (e *encoder) bool(n *node) {
	if n.text == "true" {
		e.b = append(e.b, 0xc3)
	} else {
		e.b = append(e.b, 0xc2)
	}
}

func (e *encoder) float64(bits uint64) {
	e.b = append(e.b, 0xcb, byte(bits>>56), byte(bits>>48), byte(bits>>40), byte(bits>>32), byte(bits>>24), byte(bits>>16), byte(bits>>8), byte(bits))
}

func (e *encoder) integer(n *node, k schema.Kind) error {
	if n.kind != numberNode {
		return n.want(kindName(k))
	}
	v, err := integerOf(n.text, k)
	e.b = appendInteger(e.b, v)
	return err
}

// integerOf reads the text of a number for an integer of a kind.
func integerOf(text string, k schema.Kind) (integer, error) {
	v, ok := parseInteger(text)
	switch {
	case !isInteger(text):
		return v, fmt.Errorf("want %s, got %s: a number with a fraction or an exponent is none", kindName(k), (&node{kind: numberNode, text: text}).show())
	case !ok:
		return v, fmt.Errorf("%s overflows %s", (&node{kind: numberNode, text: text}).show(), kindName(k))
	}
	return v, v.fits(k)
}

func (e *encoder) text(n *node) error {
	if v := n.tagged("$str"); v != nil {
		b, err := n.appendBase64(nil, v, "$str")
		if err != nil {
			return err
		}
		e.b = appendString(e.b, string(b))
		scan := mpscan.Scanner{AllowInvalidUTF8: e.form.loose}
		return scan.Scan(appendString(nil, string(b)))
	}
	if n.kind != stringNode {
		return n.want("a string")
	}
	e.b = appendString(e.b, n.text)
	return nil
}

// bytes appends a bin of at most most bytes.
func (e *encoder) bytes(n *node, most int) error {
	key := ""
	v := n
	if tagged := n.tagged("$bin"); tagged != nil {
		v, key = tagged, "$bin"
	}
	b, err := n.appendBase64(nil, v, key)
	if err != nil {
		return err
	}
	if len(b) > most {
		return fmt.Errorf("%d bytes for %d", len(b), most)
	}
	e.b = appendBin(e.b, b)
	return nil
}

func (e *encoder) list(n *node, t *schema.Type, most int) error {
	if n.kind != arrayNode {
		return n.want("an array")
	}
	if len(n.list) > most {
		return fmt.Errorf("%d elements for %d", len(n.list), most)
	}
	return e.elements(n, func(v *node) error { return e.value(v, t.Elem) })
}

func (e *encoder) elements(n *node, value func(*node) error) error {
	return e.inside(func() error {
		e.b = appendArray(e.b, len(n.list))
		for i := range n.list {
			if err := value(&n.list[i]); err != nil {
				return at(element(i), err)
			}
		}
		return nil
	})
}

func (e *encoder) mapping(n *node, t *schema.Type) error {
	if v := n.tagged("$map"); v != nil {
		return e.pairs(v, func(k *node) error { return e.value(k, t.Key) }, func(v *node) error { return e.value(v, t.Elem) })
	}
	if n.kind != objectNode {
		return n.want("an object")
	}
	elem := func(v *node) error { return e.value(v, t.Elem) }
	switch {
	case isInt(t.Key.Kind):
		return e.object(n, func(key string) error {
			if err := parseKey(key); err != nil {
				return err
			}
			v, err := integerOf(key, t.Key.Kind)
			e.b = appendInteger(e.b, v)
			return err
		}, elem)
	case t.Key.Kind == schema.String || t.Key.Kind == schema.Any:
		return e.object(n, e.plainKey, elem)
	case len(n.keys) == 0:
		return e.object(n, e.plainKey, elem)
	}
	return fmt.Errorf(`want {"$map":[[key,value],…]}, as keys of this map are no texts, got an object`)
}

// parseKey returns an error unless key is a number as JSON has it.
func parseKey(key string) error {
	p := parser{s: key}
	if err := p.number(new(node)); err != nil || p.i < len(key) {
		return fmt.Errorf("want a number as the key, got %s", clip(key))
	}
	return nil
}

func (e *encoder) plainKey(key string) error {
	e.b = appendString(e.b, key)
	return nil
}

func (e *encoder) object(n *node, key func(string) error, elem func(*node) error) error {
	return e.inside(func() error {
		e.b = appendMap(e.b, len(n.list))
		for i := range n.list {
			err := key(n.keys[i])
			if err == nil {
				err = elem(&n.list[i])
			}
			if err != nil {
				return at("["+clip(n.keys[i])+"]", err)
			}
		}
		return nil
	})
}

// pairs appends a map whose entries n has in arrays.
func (e *encoder) pairs(n *node, key, elem func(*node) error) error {
	if n.kind != arrayNode {
		return at(".$map", n.want("an array of arrays with a key and a value"))
	}
	return e.inside(func() error {
		e.b = appendMap(e.b, len(n.list))
		seen := make(map[string]bool)
		for i := range n.list {
			pair := &n.list[i]
			if pair.kind != arrayNode || len(pair.list) != 2 {
				return at(element(i), pair.want("an array with a key and a value"))
			}
			start := len(e.b)
			err := key(&pair.list[0])
			if encoded := string(e.b[start:]); err == nil && seen[encoded] {
				err = errors.New("the key is there twice")
			} else {
				seen[encoded] = true
			}
			if err == nil {
				err = elem(&pair.list[1])
			}
			if err != nil {
				return at(element(i), err)
			}
		}
		return nil
	})
}

func (e *encoder) structure(n *node, def *schema.Def) error {
	if n.kind != objectNode {
		return n.want("an object")
	}
	if def.Kind == schema.TupleDef {
		return e.tuple(n, def)
	}
	return e.inside(func() error {
		extra := n.extra(def, e.form.fields)
		count := len(n.list)
		if extra != nil {
			if extra.kind != objectNode {
				return at("."+unknownKey, extra.want("an object"))
			}
			count += len(extra.list) - 1
		}
		e.b = appendMap(e.b, count)
		var seen seen
		for i := range n.list {
			if &n.list[i] == extra {
				continue
			}
			f, err := e.field(n.keys[i], def, &seen)
			if err != nil {
				return err
			}
			e.b = appendString(e.b, f.Name)
			if err := e.value(&n.list[i], f.Type); err != nil {
				return at("."+f.Name, err)
			}
		}
		if extra == nil {
			return nil
		}
		for i, key := range extra.keys {
			if _, known := e.form.fields[def][key]; known {
				return at("."+unknownKey, fmt.Errorf("%s is a field of %s", clip(key), def.Name))
			}
			e.b = appendString(e.b, key)
			if err := e.any(&extra.list[i]); err != nil {
				return at("."+unknownKey+"["+clip(key)+"]", err)
			}
		}
		return nil
	})
}

// extra returns the fields of a struct that its definition does not have, nil if there are none.
func (n *node) extra(def *schema.Def, fields fields) *node {
	if _, field := fields[def][unknownKey]; field {
		return nil
	}
	return n.get(unknownKey)
}

// field finds a field by its name in a text.
func (e *encoder) field(name string, def *schema.Def, seen *seen) (*schema.Field, error) {
	i, ok := e.form.fields[def][name]
	if !ok {
		return nil, noField(name, def)
	}
	if seen.add(i) {
		return nil, at("."+name, errors.New("the field is there twice"))
	}
	return &def.Fields[i], nil
}

func noField(name string, def *schema.Def) error {
	var names strings.Builder
	for i := range def.Fields {
		if i > 0 {
			names.WriteString(", ")
		}
		if i == 12 {
			fmt.Fprintf(&names, "and %d more", len(def.Fields)-i)
			break
		}
		names.WriteString(strings.Trim(clip(def.Fields[i].Name), `"`))
	}
	if len(def.Fields) == 0 {
		names.WriteString("none")
	}
	return fmt.Errorf("no field %s, want one of: %s", clip(name), names.String())
}

// tuple appends a struct as an array. Fields that are not there are nil, which is the zero value.
func (e *encoder) tuple(n *node, def *schema.Def) error {
	values := make(map[int]*node, len(n.list))
	var seen seen
	for i := range n.list {
		if _, err := e.field(n.keys[i], def, &seen); err != nil {
			return err
		}
		values[e.form.fields[def][n.keys[i]]] = &n.list[i]
	}
	return e.inside(func() error {
		if len(values) == 0 {
			e.b = appendArray(e.b, 0)
			return nil
		}
		e.b = appendArray(e.b, len(def.Fields))
		for i := range def.Fields {
			v := values[i]
			if v == nil {
				e.b = append(e.b, 0xc0)
			} else if err := e.value(v, def.Fields[i].Type); err != nil {
				return at("."+def.Fields[i].Name, err)
			}
		}
		return nil
	})
}
