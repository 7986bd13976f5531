package fit

import (
	"encoding"
	"reflect"
	"runtime"
	"strings"
)

// Form is what the methods of a pair agree on.
type Form uint8

const (
	Plain  Form = iota // no method: by its kind
	Text               // MarshalText
	Binary             // MarshalBinary
	Value              // a value of the codec, of any kind: MarshalJSON, EncodeMsgpack
	Stream             // GobEncode
)

// Pair is how a type encodes and decodes itself, if it does.
type Pair struct {
	Encode, Decode Form
	Encoder        string // the name of the method; "" for Plain
	Decoder        string
}

// Halves returns what is wrong with p, whose methods are of two kinds of which no one takes
// what the other writes.
func (p Pair) Halves(t reflect.Type) string {
	name := Name(t)
	switch {
	case p.Decode == Plain:
		return name + " has " + p.Encoder + " and no " + opposite(p.Encoder) + ", so what is sent for it cannot be received; add " + opposite(p.Encoder)
	case p.Encode == Plain:
		s := name + " has " + p.Decoder + " and no " + opposite(p.Decoder)
		if a := AppendedBy(t, p.Decoder); a != "" {
			s += " (" + a + " is not asked for)"
		}
		return s + ", so what is sent for it cannot be received; add " + opposite(p.Decoder)
	}
	return name + " encodes itself by " + p.Encoder + " and decodes itself by " + p.Decoder + ", which takes another form; add " + opposite(p.Encoder) + " or " + opposite(p.Decoder)
}

// opposites are methods with their counterparts.
var opposites = [][2]string{
	{"MarshalJSON", "UnmarshalJSON"},
	{"MarshalText", "UnmarshalText"},
	{"MarshalBinary", "UnmarshalBinary"},
	{"AppendText", "UnmarshalText"},
	{"GobEncode", "GobDecode"},
	{"EncodeMsgpack", "DecodeMsgpack"},
	{"MarshalMsgpack", "UnmarshalMsgpack"},
}

func opposite(method string) string {
	for _, o := range opposites {
		switch method {
		case o[0]:
			return o[1]
		case o[1]:
			return o[0]
		}
	}
	return ""
}

// AppendedBy returns the method of t, or of *t, that is the newer counterpart of the
// decoding one. Codecs do not know it.
func AppendedBy(t reflect.Type, decoder string) string {
	switch {
	case decoder == "UnmarshalText" && has(t, true, reflect.TypeFor[encoding.TextAppender]()):
		return "AppendText"
	case decoder == "UnmarshalBinary" && has(t, true, reflect.TypeFor[encoding.BinaryAppender]()):
		return "AppendBinary"
	}
	return ""
}

// has reports whether t has the methods of the interface, or *t has them, if that counts.
func has(t reflect.Type, pointer bool, methods reflect.Type) bool {
	return t.Implements(methods) || pointer && t.Kind() != reflect.Pointer && t.Kind() != reflect.Interface && reflect.PointerTo(t).Implements(methods)
}

// promoted returns the embedded field of the struct t that a method of t, or of *t, is the
// method of, or comes through: the least deep one.
func promoted(t reflect.Type, method string) (f reflect.StructField, ok bool) {
	type embedded struct {
		typ reflect.Type
		top int // the field of t that it is in
	}
	if t.Kind() != reflect.Struct || !isGenerated(t, method) {
		return f, false
	}
	var level []embedded
	for i := range t.NumField() {
		if f := t.Field(i); f.Anonymous {
			level = append(level, embedded{f.Type, i})
		}
	}
	for seen := map[reflect.Type]bool{t: true}; len(level) > 0; {
		var next []embedded
		for _, e := range level {
			in := e.typ
			if in.Kind() == reflect.Pointer {
				in = in.Elem()
			}
			if !hasMethod(in, method) || seen[in] {
				continue
			}
			seen[in] = true
			if in.Kind() != reflect.Struct || !isGenerated(in, method) {
				return t.Field(e.top), true
			}
			for i := range in.NumField() {
				if f := in.Field(i); f.Anonymous {
					next = append(next, embedded{f.Type, e.top})
				}
			}
		}
		level = next
	}
	return f, false
}

// PathOfMethod returns the way to the embedded struct of type from that a method of the
// struct t is that of; nil if it is none of that type.
func PathOfMethod(t reflect.Type, method string, from reflect.Type) (index []int) {
	for {
		f, ok := promoted(t, method)
		if !ok {
			return nil
		}
		index = append(index, f.Index[0])
		if t = f.Type; t == from {
			return index
		}
		if t.Kind() == reflect.Pointer {
			if t = t.Elem(); t == from {
				return nil // which decoding does not get beyond
			}
		}
	}
}

// hasMethod reports whether t or *t has a method of that name.
func hasMethod(t reflect.Type, name string) bool {
	if _, ok := t.MethodByName(name); ok || t.Kind() == reflect.Interface {
		return ok
	}
	_, ok := reflect.PointerTo(t).MethodByName(name)
	return ok
}

// isGenerated reports whether the compiler has made the method of t: where it is promoted.
// That of *t it makes besides where t itself has one. Reflection does not tell methods that
// are promoted from those that are declared; the place of their code does.
func isGenerated(t reflect.Type, method string) bool {
	m, ok := t.MethodByName(method)
	if !ok {
		m, ok = reflect.PointerTo(t).MethodByName(method)
	}
	if !ok || !m.Func.IsValid() {
		return false
	}
	pc := m.Func.Pointer()
	f := runtime.FuncForPC(pc)
	if f == nil {
		return false
	}
	file, _ := f.FileLine(pc)
	return file == "<autogenerated>"
}

// Promotion returns what is wrong with a struct t whose methods p are those of what it
// embeds: they know nothing of the other fields, nor of those beside them in an embedded
// struct that they come through. fields lists those of a struct that the codec
// would encode, by their indexes.
func Promotion(t reflect.Type, p Pair, fields func(reflect.Type) [][]int) string {
	for _, method := range []string{p.Encoder, p.Decoder} {
		if method == "" {
			continue
		}
		f, ok := promoted(t, method)
		if !ok {
			continue
		}
		if lost := lostBeside(t, f.Index[0], fields(t)); len(lost) > 0 {
			return method + " of " + Name(t) + " is that of the embedded " + Name(f.Type) + ", so " + list(lost) + " would be lost; give the embedded field a name, or " + Name(t) + " methods of its own"
		}
		if k := f.Type.Kind(); method == p.Decoder && (k == reflect.Pointer || k == reflect.Interface) {
			return method + " of " + Name(t) + " is that of the embedded " + Name(f.Type) + ", which is nil when something arrives; give the embedded field a name, or " + Name(t) + " methods of its own"
		}
		through := f.Type
		if through.Kind() == reflect.Pointer {
			through = through.Elem()
		}
		if fault := Promotion(through, p.only(method), fields); fault != "" {
			return fault
		}
	}
	return ""
}

// only is p with that method alone.
func (p Pair) only(method string) (q Pair) {
	if method == p.Encoder {
		q.Encode, q.Encoder = p.Encode, p.Encoder
	} else {
		q.Decode, q.Decoder = p.Decode, p.Decoder
	}
	return q
}

// lostBeside names the fields of t, of those that a codec would encode, that are not in the
// embedded one.
func lostBeside(t reflect.Type, embedded int, fields [][]int) (names []string) {
	for _, index := range fields {
		if f := t.FieldByIndex(index); index[0] != embedded && !carriesNothing(f.Type) {
			names = append(names, f.Name)
		}
	}
	return names
}

// list is "A", "A and B", "A, B and 7 others".
func list(names []string) string {
	switch n := len(names); {
	case n == 1:
		return names[0]
	case n <= 4:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return strings.Join(names[:3], ", ") + " and others"
}
