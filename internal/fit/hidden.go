package fit

import "reflect"

// Hides reports whether the struct t has something in it, all of it in fields that are not
// exported: as "type Stamp time.Time", which has the fields of a time.Time and none of its
// methods. A struct{} has nothing in it, and nor has what marks a type by a field named _.
// Locks are not meant to be sent.
func Hides(t reflect.Type) bool {
	if t.Kind() != reflect.Struct || isLock(t) {
		return false
	}
	something := false
	for i := range t.NumField() {
		f := t.Field(i)
		switch {
		case f.IsExported() && f.Anonymous && f.Type.Kind() == reflect.Struct && Hides(f.Type):
			something = true
		case f.IsExported() && !carriesNothing(f.Type):
			return false
		case f.Name != "_" && f.Type.Size() > 0 && !isLock(f.Type):
			something = true
		}
	}
	return something
}

// Hidden says what is wrong with a t that Hides.
func Hidden(t reflect.Type) string {
	return Name(t) + " has only unexported fields and no methods to encode them, so nothing of it would be sent; export fields, add methods, or leave it out by a tag"
}

// isLock reports whether t is a sync.Mutex or the like: it belongs to a variable, and not to
// the value of one.
func isLock(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && (t.PkgPath() == "sync" && t.Name() != "Map" ||
		reflect.PointerTo(t).Implements(reflect.TypeFor[interface {
			Lock()
			Unlock()
		}]()))
}

// carriesNothing reports whether a t is nothing that a program would want to send.
func carriesNothing(t reflect.Type) bool {
	k := t.Kind()
	return k == reflect.Chan || k == reflect.Func || t.Size() == 0 || isLock(t)
}
