package value

import (
	"fmt"
	"math"
	"strings"

	"github.com/fb9bb4ed/qsocket/internal/schema"
)

// any appends a value whose type is not known: by what the text says that it is.
func (e *encoder) any(n *node) error {
	switch n.kind {
	case nullNode:
		e.b = append(e.b, 0xc0)
	case boolNode:
		e.bool(n)
	case stringNode:
		e.b = appendString(e.b, n.text)
	case numberNode:
		return e.number(n)
	case arrayNode:
		return e.elements(n, e.any)
	case objectNode:
		if len(n.keys) == 1 && strings.HasPrefix(n.keys[0], "$") {
			return e.special(n, n.keys[0], &n.list[0])
		}
		return e.object(n, e.plainKey, e.any)
	}
	return nil
}

func (e *encoder) number(n *node) error {
	if !isInteger(n.text) {
		bits, err := n.float(schema.Float64)
		e.float64(bits)
		return err
	}
	v, ok := parseInteger(n.text)
	if !ok {
		return fmt.Errorf("%s has more than 64 bits: with a fraction, .0, it is a floating point number", n.show())
	}
	e.b = appendInteger(e.b, v)
	return nil
}

// special appends what JSON lacks: v is behind the only key of n.
func (e *encoder) special(n *node, key string, v *node) error {
	switch key {
	case "$map":
		return e.pairs(v, e.any, e.any)
	case "$bin":
		return e.bytes(n, math.MaxInt)
	case "$str":
		return e.text(n)
	case "$time":
		return e.basic(n, schema.Time)
	case "$float64":
		return e.basic(n, schema.Float64)
	case "$float32":
		if v.kind == numberNode {
			n = v
		}
		return e.basic(n, schema.Float32)
	case "$ext":
		return e.extension(v)
	}
	return fmt.Errorf(`%s is none of $bin, $ext, $float32, $float64, $map, $str and $time; a map with this key alone is {"$map":[[key,value]]}`, clip(key))
}

func (e *encoder) extension(v *node) error {
	if v.kind != arrayNode || len(v.list) != 2 || v.list[0].kind != numberNode {
		return at(".$ext", v.want("an array with the type, a number, and the data in base64"))
	}
	kind, err := integerOf(v.list[0].text, schema.Int8)
	if err != nil {
		return at(".$ext[0]", err)
	}
	data, err := v.appendBase64(nil, &v.list[1], "")
	if err != nil {
		return at(".$ext[1]", err)
	}
	e.b = appendExt(e.b, int8(kind.bits), data)
	return nil
}
