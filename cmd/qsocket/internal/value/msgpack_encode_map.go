package value

import (
	"errors"
	"fmt"

	"github.com/fb9bb4ed/qsocket/internal/schema"
)

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
