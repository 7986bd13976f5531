// Package schema describes what a message type looks like on the wire, as a
// short text in the form of docs/schema.md, and compares two descriptions.
//
// The text is made from Go types by the rules of each codec ([Gob], [JSON]; those
// of MessagePack are in package mpplan), sent to the peer in the hello of a named
// protocol, and kept in the golden files of package qsockettest.
package schema

import "strings"

// MaxText is how long a text may be, in bytes.
const MaxText = 64 << 10

const (
	maxDepth = 32  // how deep type expressions may be nested
	maxName  = 200 // how long the name of a field, a codec or a type may be, in bytes
)

// Schema is a parsed text.
type Schema struct {
	Codec string
	Flags []string // in order; see docs/schema.md
	Root  *Type
	Defs  []*Def // in order of their first use

	text string // that it was parsed from
}

// Kind is what a type is on the wire, in the words of Go.
type Kind uint8

const (
	Bool Kind = iota
	Int
	Int8
	Int16
	Int32
	Int64
	Uint
	Uint8
	Uint16
	Uint32
	Uint64
	Float32
	Float64
	Complex
	String
	Bytes
	Time
	Any
	numBasic // the kinds before have no parts

	Slice   // []Elem
	Array   // [Len]Elem
	Map     // map[Key]Elem
	Pointer // *Elem: Elem or nil
	Quoted  // quoted(Elem): in a JSON string
	Opaque  // opaque(Name): as methods of the type have it
	Named   // Def
)

// Type is a type expression.
type Type struct {
	Kind Kind
	Len  int
	Key  *Type
	Elem *Type
	Name string
	Def  *Def

	// Set by Parse, for Compare.
	holds  holds
	number uint32 // among those of its schema that are no definitions
	text   string // of it
}

// id returns what tells t from other types of its schema. Structs are themselves, wherever
// they are used.
func (t *Type) id() uint32 {
	if t.Kind == Named {
		return uint32(t.Def.id) << 1
	}
	return t.number<<1 | 1
}

// Def is the definition of a struct, a tuple or a union.
type Def struct {
	Kind     DefKind
	Name     string
	Fields   []Field   // of a struct or tuple
	Variants []Variant // of a union, in order of tags

	// Set by Parse.
	id     int    // its place in Schema.Defs
	fields string // the lines of its fields
	nested bool   // it is used where a union cannot be
}

// shown returns the name. Those of types are ASCII, and have at most maxName bytes.
func (d *Def) shown() string { return strings.Clone(d.Name) }

// DefKind is what is defined.
type DefKind uint8

const (
	StructDef DefKind = iota // fields go by name
	TupleDef                 // fields go by position
	UnionDef                 // one of several types, behind a tag
)

// Field is a field of a struct or tuple.
type Field struct {
	Name  string
	Alias string // another name under which it is accepted, or ""
	Type  *Type
}

// Variant is a case of a union.
type Variant struct {
	Tag   uint64
	Codec string
	Type  *Type
	Flags []string
}

// Fingerprint returns what two ends compare before they send whole texts: the
// first 16 bytes of the SHA-256 of text, in hex. That of no text is "".
func Fingerprint(text string) string {
	if text == "" {
		return ""
	}
	return SumOf(text).Fingerprint()
}

var basicNames = [numBasic]string{
	"bool", "int", "int8", "int16", "int32", "int64", "uint", "uint8", "uint16", "uint32", "uint64",
	"float32", "float64", "complex", "string", "bytes", "time", "any",
}

// basics has the types without parts. They are shared.
var basics = func() (types [numBasic]*Type) {
	for k := range types {
		types[k] = &Type{Kind: Kind(k), text: basicNames[k]}
		types[k].holds = types[k].ownHolds()
	}
	return types
}()

var basicByName = func() map[string]*Type {
	m := make(map[string]*Type)
	for k, name := range basicNames {
		m[name] = basics[k]
	}
	return m
}()

var defNames = [...]string{StructDef: "struct", TupleDef: "tuple", UnionDef: "union"}
