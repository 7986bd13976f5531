package value

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// node is a value of a JSON text. Numbers keep their digits, objects the order of their keys.
type node struct {
	kind nodeKind
	text string // of a number or a string
	keys []string
	list []node // elements, or the values behind keys
}

type nodeKind uint8

const (
	nullNode nodeKind = iota
	boolNode
	numberNode
	stringNode
	arrayNode
	objectNode
)

var nodeNames = [...]string{"null", "a bool", "a number", "a string", "an array", "an object"}

// tagged returns the value of an object with this key alone, nil for anything else.
func (n *node) tagged(key string) *node {
	if n.kind == objectNode && len(n.keys) == 1 && n.keys[0] == key {
		return &n.list[0]
	}
	return nil
}

// get returns the value behind a key, nil if it is not there.
func (n *node) get(key string) *node {
	for i, k := range n.keys {
		if k == key {
			return &n.list[i]
		}
	}
	return nil
}

// want is the error for a value of another kind.
func (n *node) want(what string) error { return fmt.Errorf("want %s, got %s", what, n.show()) }

// show is what an error says of n.
func (n *node) show() string {
	switch n.kind {
	case stringNode:
		return "the string " + clip(n.text)
	case numberNode, boolNode:
		if len(n.text) <= 40 {
			return n.text
		}
		return n.text[:40] + "…"
	}
	return nodeNames[n.kind]
}

// appendBase64 appends the bytes that v has in base64. key is where v is in n; "" if it is n itself.
func (n *node) appendBase64(dst []byte, v *node, key string) (_ []byte, err error) {
	b := dst
	if v.kind != stringNode {
		err = v.want("a string with bytes in base64")
	} else if b, err = base64.StdEncoding.AppendDecode(dst, []byte(v.text)); err != nil || strings.ContainsAny(v.text, "\r\n") {
		err = fmt.Errorf("want base64, got the string %s", clip(v.text))
	}
	switch {
	case err == nil:
		return b, nil
	case key != "":
		err = at("."+key, err)
	}
	return dst, err
}
