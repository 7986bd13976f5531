package schema

import (
	"reflect"
	"strconv"
	"strings"
)

// reserved are words that no definition can have as its name.
var reserved = func() map[string]bool {
	m := map[string]bool{"map": true, "quoted": true, "opaque": true}
	for _, name := range basicNames {
		m[name] = true
	}
	return m
}()

// typeName returns the name of a Go type without its package, as an identifier;
// "" if it has none. A generic type has its arguments behind it, Page_Item.
func typeName(t reflect.Type) string {
	name := t.Name()
	if !strings.Contains(name, "[") {
		return identifier(name)
	}
	// Arguments come with the paths of their packages: drop what is before a dot.
	var b strings.Builder
	for len(name) > 0 {
		n := strings.IndexAny(name, "[],*; ()")
		part := name
		if n >= 0 {
			part = name[:n]
		}
		b.WriteString(part[strings.LastIndexAny(part, "./")+1:])
		if n < 0 {
			break
		}
		b.WriteByte('_')
		name = name[n+1:]
	}
	return strings.TrimRight(identifier(b.String()), "_")
}

// identifier replaces what cannot be in the name of a type.
func identifier(s string) string {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		switch {
		case r < 0x80 && isWord(byte(r)):
			b = append(b, byte(r))
		default:
			b = append(b, '_')
		}
	}
	if len(b) > 0 && b[0] >= '0' && b[0] <= '9' {
		b = append([]byte{'_'}, b...)
	}
	return string(b)
}

// unique returns name, or name with the first number behind it that makes it one
// that is not taken. next remembers where to go on, for each name.
func unique(name string, taken func(string) bool, next map[string]int) string {
	if name == "" {
		name = "_"
	}
	if !reserved[name] && !taken(name) {
		return name
	}
	for n := max(next[name], 2); ; n++ {
		if s := name + strconv.Itoa(n); !reserved[s] && !taken(s) {
			next[name] = n + 1
			return s
		}
	}
}
