package mpplan

import (
	"reflect"

	"github.com/fb9bb4ed/qsocket/internal/schema"
)

// Schema returns the text that describes messages of type T as they are encoded
// and decoded with o, in the form of docs/schema.md, or why there is none.
func (p Plan[T]) Schema(o Options) (string, error) {
	t := reflect.TypeFor[T]()
	o.Expansion = 0 // limits this end's memory; messages look the same
	return schema.Cached(schema.Key{Codec: "msgpack", Type: t, Options: o}, func() (string, error) {
		var flags []string
		if o.InvalidUTF8 {
			flags = append(flags, schema.InvalidUTF8)
		}
		if o.Strict {
			flags = append(flags, schema.Strict)
		}
		return schema.Build("msgpack", flags, t, schemaRules{arrays: o.Arrays})
	})
}

// schemaRules tells the builder what the plans of types know.
type schemaRules struct{ arrays bool }

func (schemaRules) Type(b *schema.Builder, t reflect.Type) *schema.Type {
	n := nodeFor(t)
	switch n.dec {
	case opRaw:
		return schema.BasicType(schema.Any)
	case opError:
		return schema.PointerTo(schema.BasicType(schema.String))
	}
	if n.enc != n.dec {
		return schema.OpaqueType(t) // it has a method for one direction
	}
	switch n.enc {
	case opBytes:
		return schema.BasicType(schema.Bytes)
	case opByteArray:
		return &schema.Type{Kind: schema.Array, Len: n.len, Elem: schema.BasicType(schema.Uint8)}
	case opTime:
		return schema.BasicType(schema.Time)
	case opAny:
		return schema.BasicType(schema.Any)
	case opPointer:
		return schema.PointerTo(b.Type(n.elem.typ))
	case opSlice:
		return &schema.Type{Kind: schema.Slice, Elem: b.Type(n.elem.typ)}
	case opArray:
		return &schema.Type{Kind: schema.Array, Len: n.len, Elem: b.Type(n.elem.typ)}
	case opMap:
		return &schema.Type{Kind: schema.Map, Key: b.Type(n.key.typ), Elem: b.Type(n.elem.typ)}
	case opStruct:
		return b.Struct(t)
	case opUnsupported, opInterface, opBinary, opText, opMarshal, opV5:
		return schema.OpaqueType(t)
	}
	return schema.Basic(t)
}

func (r schemaRules) Fields(t reflect.Type) (list []schema.GoField, _ schema.DefKind) {
	fs := nodeFor(t).fields
	aliases := make(map[int]string)
	for name, i := range fs.index {
		if i < fs.written && name != fs.all[i].name {
			aliases[i] = name
		}
	}
	for i := range fs.written {
		f := &fs.all[i]
		list = append(list, schema.GoField{Name: f.name, Go: f.goName, Alias: aliases[i], Type: f.node.typ})
	}
	if r.arrays || fs.asArray {
		return list, schema.TupleDef
	}
	return list, schema.StructDef
}
