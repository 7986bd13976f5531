// Package typed makes Go types of a description of messages, and codecs for them, so that codecs can be
// measured as a program with such types uses them.
package typed

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/schema"
)

// Messages are the types of the messages of a protocol.
type Messages struct {
	union bool
	cases map[uint64]*message // tag 0 is that of messages that are no union
	codec string              // of the description
}

// message is a type of messages, or of a case.
type message struct {
	codec string // of the description: how a payload of it is read
	typ   reflect.Type
}

// New makes the types of s. What refers to itself becomes an any: reflect makes no such types.
func New(s *schema.Schema) (*Messages, error) {
	m := &Messages{cases: make(map[uint64]*message), codec: s.Codec}
	root := s.Root
	if root.Kind == schema.Named && root.Def.Kind == schema.UnionDef {
		m.union = true
		for _, v := range root.Def.Variants {
			if err := m.add(v.Tag, v.Codec, v.Type); err != nil {
				return nil, fmt.Errorf("case %d: %w", v.Tag, err)
			}
		}
		return m, nil
	}
	return m, m.add(0, s.Codec, root)
}

func (m *Messages) add(tag uint64, codec string, t *schema.Type) error {
	if codec != "msgpack" && codec != "json" {
		return fmt.Errorf("codec %s has no payloads that can be made from a description: want msgpack or json", codec)
	}
	typ, err := goType(t, make(map[*schema.Def]bool))
	m.cases[tag] = &message{codec, typ}
	return err
}

var basics = map[schema.Kind]reflect.Type{
	schema.Bool: reflect.TypeFor[bool](), schema.Int: reflect.TypeFor[int](), schema.Int8: reflect.TypeFor[int8](), schema.Int16: reflect.TypeFor[int16](),
	schema.Int32: reflect.TypeFor[int32](), schema.Int64: reflect.TypeFor[int64](), schema.Uint: reflect.TypeFor[uint](), schema.Uint8: reflect.TypeFor[uint8](),
	schema.Uint16: reflect.TypeFor[uint16](), schema.Uint32: reflect.TypeFor[uint32](), schema.Uint64: reflect.TypeFor[uint64](),
	schema.Float32: reflect.TypeFor[float32](), schema.Float64: reflect.TypeFor[float64](), schema.String: reflect.TypeFor[string](),
	schema.Bytes: reflect.TypeFor[[]byte](), schema.Time: reflect.TypeFor[time.Time](), schema.Any: reflect.TypeFor[any](), schema.Opaque: reflect.TypeFor[any](),
}

// maxArray bounds arrays of fixed length, elements.
const maxArray = 1 << 16

// goType makes the type of t. within are the definitions that it is a part of.
func goType(t *schema.Type, within map[*schema.Def]bool) (reflect.Type, error) {
	if basic := basics[t.Kind]; basic != nil {
		return basic, nil
	}
	switch t.Kind {
	case schema.Slice, schema.Array, schema.Pointer, schema.Quoted, schema.Map:
		elem, err := goType(t.Elem, within)
		if err != nil {
			return nil, err
		}
		switch t.Kind {
		case schema.Slice:
			return reflect.SliceOf(elem), nil
		case schema.Pointer:
			return reflect.PointerTo(elem), nil
		case schema.Array:
			if t.Len > maxArray {
				return nil, fmt.Errorf("an array of %d, want at most %d", t.Len, maxArray)
			}
			return reflect.ArrayOf(t.Len, elem), nil
		case schema.Quoted:
			return elem, nil // the tag of the field says so
		}
		key, err := goType(t.Key, within)
		if err != nil {
			return nil, err
		}
		if !key.Comparable() {
			return nil, fmt.Errorf("a map with keys of type %s, which Go does not have", t.Key)
		}
		return reflect.MapOf(key, elem), nil
	case schema.Named:
		return structType(t.Def, within)
	}
	return nil, fmt.Errorf("type %s is not measured", t)
}

func structType(d *schema.Def, within map[*schema.Def]bool) (reflect.Type, error) {
	if within[d] {
		return reflect.TypeFor[any](), nil
	}
	within[d] = true
	defer delete(within, d)
	var fields []reflect.StructField
	if d.Kind == schema.TupleDef {
		fields = append(fields, reflect.StructField{Name: "_msgpack", PkgPath: "typed", Type: reflect.TypeFor[struct{}](), Tag: `msgpack:",as_array"`})
	}
	for i, f := range d.Fields {
		typ, err := goType(f.Type, within)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", d.Name, f.Name, err)
		}
		if f.Name == "" || f.Name == "-" || strings.ContainsAny(f.Name, ",") {
			return nil, fmt.Errorf("%s: the field %q, whose name no tag of a Go field can be", d.Name, f.Name)
		}
		forJSON := f.Name
		if f.Type.Kind == schema.Quoted {
			forJSON += ",string"
		}
		fields = append(fields, reflect.StructField{
			Name: "F" + strconv.Itoa(i), Type: typ,
			Tag: reflect.StructTag("msgpack:" + strconv.Quote(f.Name) + " json:" + strconv.Quote(forJSON)),
		})
	}
	return reflect.StructOf(fields), nil
}
