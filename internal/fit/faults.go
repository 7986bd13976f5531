package fit

import "reflect"

// WithMethods says what is wrong with an interface type that has methods.
func WithMethods(t reflect.Type) string {
	return Name(t) + " is an interface with methods: it can be sent, but nothing can be received for it; use a concrete type, any, or a Union"
}

func unsupported(t reflect.Type) string {
	return Name(t) + " cannot be encoded; leave it out by a tag, or unexported"
}

func endless(t reflect.Type) string {
	return Name(t) + " points to nothing but itself; use a struct with a pointer in it"
}

func embedsItself(t reflect.Type) string {
	return Name(t) + " embeds itself, and what is embedded in it would be lost; give the embedded field a name"
}

func unaddressable(t reflect.Type, method string) string {
	n := Name(t)
	return method + " is a method of *" + n + ", which is not called for what is in a map; use *" + n + " there, or make it a method of " + n
}

// isEndless reports whether t is a pointer type like "type P *P".
func isEndless(t reflect.Type) bool {
	seen := make(map[reflect.Type]bool)
	for ; t.Kind() == reflect.Pointer; t = t.Elem() {
		if seen[t] {
			return true
		}
		seen[t] = true
	}
	return false
}
