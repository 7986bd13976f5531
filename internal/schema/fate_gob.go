package schema

// gobFate has the rules of encoding/gob: a few kinds, and no way from one to
// another.
func gobFate(from, to *Type) fate {
	f, t := from.Kind, to.Kind
	switch {
	case isInteger(f) && isInteger(t) && isSigned(f) == isSigned(t):
		return integerFate(f, t)
	case f == Float64 && t == Float32:
		return dependsOn("numbers are rounded, and refused if they are too large")
	case isFloat(f) && isFloat(t):
		return fate{}
	case f == t && f == Array && from.Len != to.Len:
		return fate{kind: never}
	case f == t && !isNumber(f):
		return fate{}
	}
	return fate{kind: never}
}
