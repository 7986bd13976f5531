package schema

import "unicode"

// jsonFate has the rules of encoding/json.
func jsonFate(from, to *Type) fate {
	f, t := from.Kind, to.Kind
	switch {
	case f == Any && t == Any:
		return fate{}
	case t == Any && from.has(holdsDisguised):
		return becomes("bytes arrive as their base64, and quoted strings with their quotes")
	case t == Any:
		return dependsOn("it arrives as a type that the payload shows")
	case f == Any:
		return fate{kind: depends, note: "what is no ", typ: to, tail: " is refused"}
	case f == Quoted || t == Quoted:
		return quotedFate(from, to)
	case isNumber(f) && isNumber(t):
		return jsonNumberFate(f, t)
	case f == String && t == Time:
		return dependsOn("a string that is no time is refused")
	case f == Time && t == String:
		return dependsOn("a time arrives as its text")
	case f == String && t == Bytes:
		return becomes("a string is taken for base64 and arrives as other bytes, if at all")
	case f == Bytes && t == String:
		return becomes("bytes arrive as their base64")
	case isList(from) && isList(to):
		if t == Array && (f == Slice || from.Len > to.Len) {
			return becomes("elements that the array has no room for are lost")
		}
		return fate{}
	case f == Map && t == Map, f == Named && t == Named:
		return fate{}
	case f == Map && t == Named:
		return jsonNameFate(from.Key)
	case f == Named && t == Map:
		return jsonNameFate(to.Key)
	case f == t && t < numBasic:
		return fate{}
	}
	return fate{kind: never}
}

// isDisguised reports whether t is a string in JSON without being that string.
func isDisguised(t *Type) bool {
	return t.Kind == Bytes || t.Kind == Quoted && t.Elem.Kind == String
}

func jsonNumberFate(f, t Kind) fate {
	switch {
	case isInteger(f) && isInteger(t):
		return integerFate(f, t)
	case isInteger(f):
		if exactIn(f, t) {
			return fate{}
		}
		return dependsOn("large integers are rounded")
	case isInteger(t):
		return dependsOn("fractions and numbers that do not fit are refused")
	case f == Float64 && t == Float32:
		return dependsOn("numbers are rounded, and refused if they are too large")
	}
	return fate{}
}

// quotedFate is for numbers, bools and strings that are in a JSON string, on one
// side or on both.
func quotedFate(from, to *Type) fate {
	f, t := from.Kind, to.Kind
	switch {
	case f == Quoted && t == Quoted:
		return jsonFate(from.Elem, to.Elem)
	case t == String && from.Elem.Kind == String:
		return becomes("a string arrives with quotes around it")
	case t == String:
		return dependsOn("it arrives as its text")
	case f == String && to.Elem.Kind != String:
		return fate{kind: depends, note: "a string that is no ", typ: to.Elem, tail: " is refused"}
	}
	return fate{kind: never}
}

// jsonNameFate is the fate of the names of fields as keys of a map, and the reverse.
func jsonNameFate(key *Type) fate {
	switch key.Kind {
	case String:
		return fate{}
	case Opaque:
		return dependsOn("keys that are no names are refused")
	}
	return fate{kind: never}
}

// jsonKeyFate is for the keys of maps, which are strings on the wire.
func jsonKeyFate(from, to *Type) fate {
	switch {
	case isInteger(from.Kind) && isInteger(to.Kind):
		return integerFate(from.Kind, to.Kind)
	case from.Kind == Opaque && to.Kind == Opaque && from.Name == to.Name, to.Kind == String:
		return fate{}
	case isInteger(to.Kind):
		return dependsOn("keys that are no integers are refused")
	}
	if from.Kind != to.Kind {
		return dependsOn(losesNote)
	}
	return dependsOn(opaqueNote)
}

// foldName returns what names have in common that encoding/json takes for the
// same: the least of each character's variants.
func foldName(s string) string {
	runes := []rune(s)
	for i, r := range runes {
		for {
			next := unicode.SimpleFold(r)
			if next <= r {
				runes[i] = next
				break
			}
			r = next
		}
	}
	return string(runes)
}
