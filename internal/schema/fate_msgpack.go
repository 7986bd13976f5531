package schema

// msgpackFate has the rules of package mpplan.
func msgpackFate(from, to *Type) fate {
	switch {
	case from.Kind == Any && to.Kind == Any:
		return fate{}
	case to.Kind == Any:
		if from.has(holdsOddMap) {
			return fate{kind: never} // an any holds no map whose keys are not strings
		}
		return dependsOn("it arrives as a type that the payload shows")
	case from.Kind == Any:
		return fate{kind: depends, note: "what is no ", typ: to, tail: " is refused"}
	case isBinary(from):
		return binaryFate(from, to)
	case from.Kind == Named:
		return msgpackStructFate(from.Def, to)
	}
	f, t := from.Kind, to.Kind
	switch {
	case isInteger(f) && isInteger(t):
		return integerFate(f, t)
	case isInteger(f) && isFloat(t):
		if exactIn(f, t) {
			return fate{}
		}
		return dependsOn("integers without an equal among floats are refused")
	case f == Float32 && t == Float64:
		return fate{}
	case f == String && t == Time:
		return dependsOn("a string that is no time is refused")
	case f == String && isBinary(to):
		return sized(-1, to)
	case isList(from) && isList(to) && !isBinary(to):
		if f == Array {
			return sized(from.Len, to)
		}
		return sized(-1, to)
	case isList(from) && t == Named: // a struct can arrive as an array
		n := len(to.Def.Fields)
		switch {
		case f == Slice:
			return dependsOn("other numbers of elements than of fields are refused")
		case from.Len != n && from.Len != 0:
			return fate{kind: never}
		}
		return fate{}
	case f == Map && t == Map:
		return fate{}
	case f == Map && t == Named:
		return nameFate(from.Key)
	case f == t && t < numBasic:
		return fate{}
	}
	return fate{kind: never}
}

// isBinary reports whether t is a slice or an array of bytes, in MessagePack.
func isBinary(t *Type) bool {
	return t.Kind == Bytes || t.Kind == Array && t.Elem.Kind == Uint8
}

func binaryFate(from, to *Type) fate {
	switch {
	case to.Kind == String:
		return dependsOn("bytes that are not UTF-8 are refused")
	case isBinary(to) && from.Kind == Array:
		return sized(from.Len, to)
	case isBinary(to):
		return sized(-1, to)
	}
	return fate{kind: never}
}

// sized is the fate of n elements, or of any number if it is negative, where an
// array may be wanted.
func sized(n int, to *Type) fate {
	switch {
	case to.Kind != Array || n >= 0 && n <= to.Len:
		return fate{}
	case n < 0:
		return dependsOn("what is longer than the array is refused")
	}
	return fate{kind: never}
}

// msgpackStructFate is for structs: maps of their names, and for tuples: arrays.
func msgpackStructFate(from *Def, to *Type) fate {
	switch {
	case to.Kind == Named:
		return fate{}
	case from.Kind == TupleDef && isList(to) && !isBinary(to):
		return sized(len(from.Fields), to)
	case from.Kind == StructDef && to.Kind == Map:
		return nameFate(to.Key)
	}
	return fate{kind: never}
}

// nameFate is the fate of the names of fields as keys of a map, and the reverse.
func nameFate(key *Type) fate {
	switch key.Kind {
	case String, Bytes:
		return fate{}
	case Any, Opaque:
		return dependsOn("keys that are no names are refused")
	}
	return fate{kind: never}
}

// isOddMap reports whether t is a map whose keys are not strings.
func isOddMap(t *Type) bool {
	return t.Kind == Map && t.Key.Kind != String && t.Key.Kind != Any && t.Key.Kind != Opaque && !isBinary(t.Key)
}
