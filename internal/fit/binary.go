package fit

import (
	"encoding"
	"reflect"
)

// OwnBinary are the rules for messages that encode themselves by AppendBinary or MarshalBinary,
// and UnmarshalBinary.
var OwnBinary Rules = binaryRules{}

type binaryRules struct{}

func (binaryRules) Codec() string { return "binary" }

// Judge looks at whose methods they are. What they do is their own affair.
func (binaryRules) Judge(t reflect.Type, _ bool) Verdict {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	p := Pair{Encode: Binary, Decode: Binary, Encoder: "MarshalBinary", Decoder: "UnmarshalBinary"}
	if has(t, true, reflect.TypeFor[encoding.BinaryAppender]()) {
		p.Encoder = "AppendBinary"
	}
	return faulty("", Promotion(t, p, exportedFields))
}

func exportedFields(t reflect.Type) (indexes [][]int) {
	if t.Kind() != reflect.Struct {
		return nil
	}
	for i := range t.NumField() {
		if t.Field(i).IsExported() {
			indexes = append(indexes, []int{i})
		}
	}
	return indexes
}
