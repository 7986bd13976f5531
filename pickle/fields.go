package pickle

import (
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/fb9bb4ed/qsocket/internal/fit"
)

// fields are those of a struct that are sent, those of embedded structs among them.
type fields struct {
	all   []field
	index map[string]int // into all, by name
	most  int            // the length of the longest name
	unfit string         // why the struct cannot be sent, if that is so
}

// field is one of them.
type field struct {
	name      string
	goName    string
	index     []int
	plan      *plan
	omitEmpty bool
	key       [2][]byte // the name as protocols 3 and 4 write it
}

func (b builder) fieldsOf(t reflect.Type) *fields {
	fs := &fields{index: make(map[string]int)}
	fs.list(t, nil)
	for i := range fs.all {
		f := &fs.all[i]
		f.plan = b.build(t.FieldByIndex(f.index).Type)
		f.key[0] = (&encoder{protocol: 3}).appendText(nil, f.name)
		f.key[1] = (&encoder{protocol: 4}).appendText(nil, f.name)
	}
	return fs
}

// list adds the fields of t, which is at path in the struct. A struct cannot embed itself
// but by a pointer.
func (fs *fields) list(t reflect.Type, path []int) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("pickle"), ",")
		if name == "-" && options == "" || !f.IsExported() && !f.Anonymous {
			continue
		}
		index := append(append([]int(nil), path...), i)
		if f.Anonymous && name == "" {
			if embedded(f.Type) {
				fs.list(f.Type, index)
				continue
			}
			if f.Type.Kind() == reflect.Pointer {
				fs.fault("%s embeds a pointer; give the field a name, by a tag if you like", fit.Name(t))
				continue
			}
		}
		if !f.IsExported() {
			continue
		}
		if name == "" {
			name = f.Name
		}
		if options != "" && options != "omitempty" {
			fs.fault("field %s of %s has a tag with the option %q, want none or omitempty", f.Name, fit.Name(t), options)
		}
		if !utf8.ValidString(name) {
			fs.fault("field %s of %s has a name that is not UTF-8", f.Name, fit.Name(t))
		}
		if _, ok := fs.index[name]; ok {
			fs.fault("two fields of %s are named %q; give one another name by a tag", fit.Name(t), name)
		}
		fs.index[name] = len(fs.all)
		fs.most = max(fs.most, len(name))
		fs.all = append(fs.all, field{name: name, goName: f.Name, index: index, omitEmpty: options == "omitempty"})
	}
}

// embedded reports whether a t is sent as its fields.
func embedded(t reflect.Type) bool {
	_, own := special[t]
	return t.Kind() == reflect.Struct && !own && !marshalsText(t) && !unmarshalsText(t)
}

func (fs *fields) fault(format string, args ...any) {
	if fs.unfit == "" {
		fs.unfit = fmt.Sprintf(format, args...)
	}
}

// isZeroer is what time.Time and others have.
type isZeroer interface{ IsZero() bool }

// isEmpty reports whether v is what the tag omitempty leaves out.
func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.String, reflect.Slice, reflect.Map:
		return v.Len() == 0
	case reflect.Pointer, reflect.Interface:
		return v.IsNil()
	}
	if z, ok := v.Interface().(isZeroer); ok {
		return z.IsZero()
	}
	return v.IsZero()
}
