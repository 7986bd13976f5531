package value

import (
	"errors"
	"fmt"
	"strings"

	"github.com/fb9bb4ed/qsocket/internal/schema"
)

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
