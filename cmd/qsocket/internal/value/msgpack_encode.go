package value

import (
	"errors"
	"fmt"
	"math"

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
