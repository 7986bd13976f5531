package schema

import (
	"cmp"
	"fmt"
	"reflect"
	"time"
)

// Rules are how a codec sees Go types.
type Rules interface {
	// Type returns the expression for t. It asks b for the types that t consists of.
	Type(b *Builder, t reflect.Type) *Type
	// Fields lists the fields of a struct for which Type has called b.Struct.
	Fields(t reflect.Type) (fields []GoField, kind DefKind)
}

// GoField is a field of a Go struct as a codec sees it.
type GoField struct {
	Name   string
	Go     string // its name in Go, for errors; may be ""
	Alias  string
	Type   reflect.Type
	Quoted bool // put into a JSON string
}

// Builder makes a Schema from Go types. Structs are described one after the
// other, in the order in which they are first met.
type Builder struct {
	rules Rules
	types map[reflect.Type]*Type // of structs
	queue []queued
	names map[string]bool
	next  map[string]int
	open  map[reflect.Type]bool // named types, not structs, that are being described
	at    string                // what an anonymous struct is called
}

type queued struct {
	typ reflect.Type
	def *Def
}

// Build returns the text for messages of type t, or why there is none: it is too long, or
// cannot be written.
func Build(codec string, flags []string, t reflect.Type, rules Rules) (string, error) {
	b := &Builder{
		rules: rules,
		types: make(map[reflect.Type]*Type),
		names: make(map[string]bool),
		next:  make(map[string]int),
		open:  make(map[reflect.Type]bool),
		at:    "Message",
	}
	s := &Schema{Codec: codec, Flags: flags, Root: b.Type(t)}
	for i := 0; i < len(b.queue); i++ {
		d := b.queue[i].def
		s.Defs = append(s.Defs, d)
		fields, kind := rules.Fields(b.queue[i].typ)
		d.Kind = kind
		if err := alike(d.Name, fields); err != nil {
			return "", err
		}
		for _, f := range fields {
			b.at = d.Name + "_" + identifier(f.Name)
			ft := b.Type(f.Type)
			if f.Quoted {
				ft = quote(ft)
			}
			d.Fields = append(d.Fields, Field{f.Name, f.Alias, ft})
		}
	}
	return checked(s)
}

// alike returns an error if two fields of a struct have one name. They can be sent if the
// struct is an array, but a description tells fields apart by their names.
func alike(of string, fields []GoField) error {
	known := make(map[string]string, len(fields))
	for _, f := range fields {
		if other, ok := known[f.Name]; ok {
			return fmt.Errorf("schema: two fields of %s, %s and %s, are named %s, and a description tells fields apart by their names: give one another name by a tag",
				clip(of), clip(other), clip(f.Go), clip(f.Name))
		}
		known[f.Name] = f.Go
	}
	return nil
}

// checked returns the text of s, or the error with which Parse refuses it.
func checked(s *Schema) (string, error) {
	text := s.String()
	if _, err := Parse(text); err != nil {
		return "", err
	}
	return text, nil
}

// quote puts t, or what it points to, into a JSON string.
func quote(t *Type) *Type {
	if t.Kind == Pointer {
		return PointerTo(quote(t.Elem))
	}
	if t.Kind >= numBasic {
		return t
	}
	return &Type{Kind: Quoted, Elem: t}
}

// Type returns the expression for t.
func (b *Builder) Type(t reflect.Type) *Type {
	if t.Name() == "" || t.Kind() == reflect.Struct {
		return b.rules.Type(b, t)
	}
	if b.open[t] {
		return OpaqueType(t) // type List []List
	}
	b.open[t] = true
	defer delete(b.open, t)
	return b.rules.Type(b, t)
}

// Struct returns the expression for a struct that has a definition.
func (b *Builder) Struct(t reflect.Type) *Type {
	if known := b.types[t]; known != nil {
		return known
	}
	name := unique(cmp.Or(typeName(t), b.at), func(s string) bool { return b.names[s] }, b.next)
	b.names[name] = true
	d := &Def{Name: name}
	b.types[t] = &Type{Kind: Named, Def: d}
	b.queue = append(b.queue, queued{t, d})
	return b.types[t]
}

// Basic returns the expression for a type without parts, by its kind alone; nil
// if it is no such type.
func Basic(t reflect.Type) *Type {
	switch k := t.Kind(); k {
	case reflect.Bool:
		return basics[Bool]
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return basics[Int+Kind(k-reflect.Int)]
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return basics[Uint+Kind(k-reflect.Uint)]
	case reflect.Uintptr:
		return basics[Uint]
	case reflect.Float32:
		return basics[Float32]
	case reflect.Float64:
		return basics[Float64]
	case reflect.Complex64, reflect.Complex128:
		return basics[Complex]
	case reflect.String:
		return basics[String]
	}
	return nil
}

// BasicType returns the expression for a kind without parts.
func BasicType(k Kind) *Type { return basics[k] }

// PointerTo returns the expression for a t that can be nil.
func PointerTo(t *Type) *Type {
	if t.Kind == Pointer {
		return t
	}
	return &Type{Kind: Pointer, Elem: t}
}

// OpaqueType returns the expression for a t that is encoded and decoded by its methods.
func OpaqueType(t reflect.Type) *Type {
	name := typeName(t)
	if name == "" {
		name = cmp.Or(identifier(t.Kind().String()), "_")
	}
	return &Type{Kind: Opaque, Name: name}
}

var timeType = reflect.TypeFor[time.Time]()

// endlessPointer reports whether t is a pointer type like "type P *P".
func endlessPointer(t reflect.Type) bool {
	seen := make(map[reflect.Type]bool)
	for ; t.Kind() == reflect.Pointer; t = t.Elem() {
		if seen[t] {
			return true
		}
		seen[t] = true
	}
	return false
}
