package schema

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// jsonField is a field on the way to being one of a struct: others of its name
// may be before it.
type jsonField struct {
	GoField
	tagged bool
	index  []int
}

// Fields lists the fields of t as encoding/json does.
func (jsonRules) Fields(t reflect.Type) (fields []GoField, _ DefKind) {
	for _, f := range jsonFields(t) {
		fields = append(fields, f.GoField)
	}
	return fields, StructDef
}

// JSONFields lists the fields that encoding/json encodes of t, by their indexes as in
// reflect.VisibleFields.
func JSONFields(t reflect.Type) (indexes [][]int) {
	for _, f := range jsonFields(t) {
		indexes = append(indexes, f.index)
	}
	return indexes
}

// JSONClash returns the first fields of t that encoding/json leaves out, and names them, if
// there are any: they have one name, and none of them counts more than the others.
func JSONClash(t reflect.Type) (name string, indexes [][]int) {
	_, clash := pickJSONFields(allJSONFields(t))
	for _, f := range clash {
		name, indexes = f.Name, append(indexes, f.index)
	}
	return name, indexes
}

// JSONEmbedsItself reports whether t is a struct like "type N struct{ *N }", in which
// encoding/json does not see what is embedded.
func JSONEmbedsItself(t reflect.Type) bool {
	seen := make(map[reflect.Type]bool)
	var leads func(in reflect.Type) bool
	leads = func(in reflect.Type) bool {
		seen[in] = true
		for i := range in.NumField() {
			if _, embedded, ok := jsonFieldOf(in.Field(i)); ok && embedded != nil {
				if embedded == t || !seen[embedded] && leads(embedded) {
					return true
				}
			}
		}
		return false
	}
	return leads(t)
}

// jsonFields lists exported fields, and those of embedded structs, of which the least deep
// of a name counts, or the only one among several with a tag; if it is not the only one,
// none of the name does.
func jsonFields(t reflect.Type) []jsonField {
	kept, _ := pickJSONFields(allJSONFields(t))
	return kept
}

// allJSONFields lists the fields of t and those of embedded structs.
func allJSONFields(t reflect.Type) (found []jsonField) {
	type level struct {
		typ   reflect.Type
		index []int
	}
	visited := make(map[reflect.Type]bool)
	var count map[reflect.Type]int // how often a struct is embedded at the current level
	for next := []level{{typ: t}}; len(next) > 0; {
		current := next
		next = nil
		nextCount := make(map[reflect.Type]int)
		for _, l := range current {
			if visited[l.typ] {
				continue
			}
			visited[l.typ] = true
			for i := range l.typ.NumField() {
				sf := l.typ.Field(i)
				f, embedded, ok := jsonFieldOf(sf)
				if !ok {
					continue
				}
				f.index = append(slices.Clone(l.index), i)
				if embedded != nil {
					if nextCount[embedded]++; nextCount[embedded] == 1 {
						next = append(next, level{embedded, f.index})
					}
					continue
				}
				found = append(found, f)
				if count[l.typ] > 1 {
					found = append(found, f) // so that it has an equal, and neither counts
				}
			}
		}
		count = nextCount
	}
	return found
}

// pickJSONFields returns those of the fields that count, in the order of declaration, and
// the first of a name of which none does.
func pickJSONFields(found []jsonField) (kept, clash []jsonField) {
	slices.SortStableFunc(found, func(a, b jsonField) int {
		byTag := 0
		if a.tagged != b.tagged {
			byTag = 1
			if a.tagged {
				byTag = -1
			}
		}
		return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(len(a.index), len(b.index)), byTag, slices.Compare(a.index, b.index))
	})
	for i := 0; i < len(found); {
		j := i + 1
		for j < len(found) && found[j].Name == found[i].Name {
			j++
		}
		if j == i+1 || len(found[i].index) != len(found[i+1].index) || found[i].tagged != found[i+1].tagged {
			kept = append(kept, found[i])
		} else if clash == nil {
			clash = found[i : i+2]
		}
		i = j
	}
	slices.SortFunc(kept, func(a, b jsonField) int { return slices.Compare(a.index, b.index) })
	return kept, clash
}

// jsonFieldOf looks at one field. embedded is the struct whose fields are to be
// seen in its place.
func jsonFieldOf(sf reflect.StructField) (f jsonField, embedded reflect.Type, ok bool) {
	t := sf.Type
	if t.Name() == "" && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if !sf.IsExported() && (!sf.Anonymous || t.Kind() != reflect.Struct) {
		return f, nil, false
	}
	tag := sf.Tag.Get("json")
	if tag == "-" {
		return f, nil, false
	}
	name, options, _ := strings.Cut(tag, ",")
	if !validJSONTag(name) {
		name = ""
	}
	if name == "" && sf.Anonymous && t.Kind() == reflect.Struct {
		return f, t, true
	}
	f.GoField = GoField{Name: cmp.Or(name, sf.Name), Type: sf.Type}
	f.tagged = name != ""
	if slices.Contains(strings.Split(options, ","), "string") {
		b := Basic(t)
		f.Quoted = b != nil && b.Kind != Complex
	}
	return f, nil, true
}

func validJSONTag(s string) bool {
	for _, c := range s {
		if !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", c) && !unicode.IsLetter(c) && !unicode.IsDigit(c) {
			return false
		}
	}
	return s != ""
}
