package schema

import (
	"encoding/gob"
	"slices"
	"time"

	"github.com/fb9bb4ed/qsocket"
)

// A schemaCell is a type with sample values, as each of the codecs has it. The
// samples of a type show what it is for: numbers that fit nothing smaller, slices
// of several lengths, strings that are no numbers.
type schemaCell struct {
	name    string
	samples int
	inner   func(sample int) any // what is in the field
	outer   func(sample int) any // all of it
	text    func(codec string) string
	encode  func(codec string, sample int) ([]byte, any, error)
	decode  func(codec string, payload []byte) (any, error)
}

func schemaType[T any](name string, samples ...T) schemaCell {
	return schemaCell{
		name:    name,
		samples: len(samples),
		outer:   func(sample int) any { return samples[sample] },
		text: func(codec string) string {
			return qsocket.Protocol[T]{Codec: schemaCodec[T](codec)}.Schema()
		},
		encode: func(codec string, sample int) ([]byte, any, error) {
			payload, err := schemaCodec[T](codec).NewEncoder().Append(nil, samples[sample])
			return payload, samples[sample], err
		},
		decode: func(codec string, payload []byte) (any, error) {
			return safely(func() (any, error) { return schemaCodec[T](codec).NewDecoder().Decode(payload) })
		},
	}
}

// schemaField is a type as the only field of a struct, next to one that stays.
func schemaField[T any](name string, samples ...T) schemaCell {
	type message struct {
		Stays string
		V     T
	}
	messages := make([]message, len(samples))
	for i, s := range samples {
		messages[i] = message{"stays", s}
	}
	c := schemaType("{V "+name+"}", messages...)
	c.inner = func(sample int) any { return samples[sample] }
	return c
}

var schemaCodecs = []string{"msgpack", "arrays", "strict", "gob", "json"}

func schemaCodec[T any](name string) qsocket.Codec[T] {
	if name == "strict" {
		return qsocket.Msgpack[T](qsocket.DisallowUnknownFields())
	}
	return evolutionCodec[T](name)
}

type (
	schXY    struct{ X, Y int }
	schYX    struct{ Y, X int }
	schXZ    struct{ X, Z int }
	schXYZ   struct{ X, Y, Z int }
	schFloat struct{ X, Y float64 }
	schMixed struct {
		X int
		S string
	}
	schLower struct {
		X int `msgpack:"x" json:"x"`
		Y int `msgpack:"y" json:"y"`
	}
	schAlias struct {
		W int `msgpack:"W,alias:X"`
		Y int
	}
	schNode struct {
		N    int
		Next *schNode
	}
	schNodeFloat struct {
		N    float64
		Next *schNodeFloat
	}
	schTree struct {
		N    int
		Next []schTree
	}
	schAbsent struct{ A *int }
	schQuoted struct {
		V int `json:",string"`
	}
	schQuotedFloat struct {
		V float64 `json:",string"`
	}
	schQuotedString struct {
		V string `json:",string"`
	}
	schQuotedBool struct {
		V bool `json:",string"`
	}
)

var schemaTime = time.Date(2024, 5, 6, 7, 8, 9, 10, time.UTC)

func schemaPtr[T any](v T) *T { return &v }

// schemaAnys is what an any holds where the receiver has one, too.
var schemaAnys = []any{"abcd", true, 0.5, int64(3)}

// schemaMaps returns maps with the names of fields of the structs below.
func schemaMaps[V any](v V) (maps []map[string]V) {
	for _, names := range []string{"V", "N", "X", "Y", "XY", "XYZ", "xy", "XZ", "WY", "A", "3"} {
		m := make(map[string]V)
		for _, c := range names {
			m[string(c)] = v
		}
		maps = append(maps, m)
	}
	return maps
}

// schemaCells are compared, each with each.
var schemaCells = []schemaCell{
	schemaField("bool", true),
	schemaField("int", -1<<30, 300, 3),
	schemaField[int8]("int8", -100, 100, 3),
	schemaField[int32]("int32", -1<<30, 300, 3),
	schemaField[int64]("int64", -1<<40, 300, 3),
	schemaField[uint]("uint", 1<<30, 300, 3),
	schemaField[uint8]("uint8", 200, 3),
	schemaField[uint64]("uint64", 1<<40, 300, 3),
	schemaField[evoSide]("named uint8", 200, 3),
	schemaField[time.Duration]("duration", 300, 3),
	schemaField[float32]("float32", 0.5, 3),
	schemaField("float64", 0.25, 3, 1e300),
	schemaField("string", "abcd", "abc", "2024-05-06T07:08:09Z", "1"),
	schemaField("[]byte", []byte("abc"), []byte("1234")),
	schemaField("[3]byte", [3]byte{1, 2, 3}),
	schemaField("[4]byte", [4]byte{1, 2, 3, 4}),
	schemaField("time", schemaTime),
	schemaField("*time", schemaPtr(schemaTime)),
	schemaField("any", schemaAnys...),
	schemaField("*int", schemaPtr(300), schemaPtr(3)),
	schemaField("*string", schemaPtr("abcd"), schemaPtr("abc"), schemaPtr("2024-05-06T07:08:09Z")),
	schemaField("[]int", []int{300}, []int{300, 301}, []int{300, 301, 302}, []int{3, 4, 5, 6, 7}),
	schemaField("[]float64", []float64{0.5}, []float64{0.5, 3}, []float64{1, 2, 3}, []float64{1, 2, 3, 4, 5}),
	schemaField("[]string", []string{"abcd"}, []string{"abcd", "b"}, []string{"a", "b", "c"}),
	schemaField("[]*int", []*int{schemaPtr(1)}, []*int{schemaPtr(1), schemaPtr(2)}, []*int{schemaPtr(1), schemaPtr(2), schemaPtr(3)},
		[]*int{schemaPtr(1), schemaPtr(2), schemaPtr(3), schemaPtr(4), schemaPtr(5)}),
	schemaField("[][]int", [][]int{{300, 301}}),
	schemaField("[]any", []any{"abcd"}, []any{0.5, 1.5}, []any{int64(3), int64(4)}, []any{map[string]any{"X": int64(3), "Y": int64(4)}},
		[]any{[]any{int64(3), int64(4)}}, []any{map[string]int{"3": 4}}, []any{int64(3), "abcd"}, []any{int64(3), nil}, []any{0.5, nil}, []any{int64(3), []any{}},
		[]any{int64(3)}, []any{0.5}, []any{true}, []any{int64(3), int64(4), int64(5)},
		[]any{int64(3), int64(4), int64(5), int64(6), int64(7)}, []any{"a", "b", "c"}, []any{map[string]any{"X": 0.5}, map[string]any{"X": 0.5}}),
	schemaField("[2]int", [2]int{300, 301}),
	schemaField("[3]int", [3]int{300, 301, 302}, [3]int{3, 4, 5}),
	schemaField("[2]string", [2]string{"abcd", "b"}),
	schemaField("map[string]int", schemaMaps(300)...),
	schemaField("map[string]float64", append(schemaMaps(0.5), schemaMaps(3.0)...)...),
	schemaField("map[string]string", slices.Concat(schemaMaps("abcd"), schemaMaps("300"), schemaMaps("true"))...),
	schemaField("map[string]any", slices.Concat(schemaMaps[any]("abcd"), schemaMaps[any](int64(3)), schemaMaps[any](0.5), schemaMaps[any]("300"), schemaMaps[any]("true"), schemaMaps[any](true),
		[]map[string]any{{"X": int64(3), "S": "abcd"}, {"V": `"abcd"`}})...),
	schemaField("map[int]int", map[int]int{300: 301}, map[int]int{3: 4}),
	schemaField("map[int]string", map[int]string{300: "abcd"}),
	schemaField("map[uint8]int", map[uint8]int{200: 301}),
	schemaField("[]map[int]int", []map[int]int{{3: 301}}),
	schemaField("XY", schXY{300, 301}),
	schemaField("YX", schYX{300, 301}),
	schemaField("XZ", schXZ{300, 301}),
	schemaField("XYZ", schXYZ{300, 301, 302}),
	schemaField("*XYZ", &schXYZ{300, 301, 302}),
	schemaField("XY float64", schFloat{0.5, 3}, schFloat{3, 4}),
	schemaField("X int, S string", schMixed{300, "abcd"}),
	schemaField("xy", schLower{300, 301}),
	schemaField("alias", schAlias{300, 301}),
	schemaField("[]XY", []schXY{{300, 301}}),
	schemaField("[]YX", []schYX{{300, 301}}),
	schemaField("[1]XY float64", [1]schFloat{{0.5, 3}}),
	schemaField("node", schNode{1, &schNode{2, nil}}),
	schemaField("node float64", schNodeFloat{0.5, &schNodeFloat{3.5, nil}}, schNodeFloat{3, &schNodeFloat{4, nil}}),
	schemaField("tree", schTree{1, []schTree{{2, nil}}}),
	schemaField("{int, quoted}", schQuoted{300}),
	schemaField("{float, quoted}", schQuotedFloat{0.5}, schQuotedFloat{3}),
	schemaField("{string, quoted}", schQuotedString{"abcd"}),
	schemaField("{bool, quoted}", schQuotedBool{true}),
	schemaField("{string}", evoOf[string]{"abcd"}, evoOf[string]{"300"}, evoOf[string]{"true"}),
	schemaField("{int}", evoOf[int]{300}),

	schemaType("int", -1<<30, 300, 3),
	schemaType("float64", 0.25, 3),
	schemaType("string", "abcd", "2024-05-06T07:08:09Z"),
	schemaType("[]byte", []byte("abcd")),
	schemaType("any", schemaAnys...),
	schemaType("time", schemaTime),
	schemaType("XY", schXY{300, 301}),
	schemaType("YX", schYX{300, 301}),
	schemaType("xy", schLower{300, 301}),
	schemaType("XYZ", schXYZ{300, 301, 302}),
	schemaType("XZ", schXZ{300, 301}),
	schemaType("S", struct{ S string }{"abcd"}),
	schemaType("absent", schAbsent{}),
	schemaType("*XYZ", &schXYZ{300, 301, 302}),
	schemaType("alias", schAlias{300, 301}),
	schemaType("[]XY", []schXY{{300, 301}}, []schXY{{1, 2}, {3, 4}}),
	schemaType("map[string]int", schemaMaps(300)...),
	schemaType("two", struct {
		V schXY
		W schYX
	}{schXY{1, 2}, schYX{4, 3}}),
	schemaType("two that are one", struct{ V, W schXY }{schXY{1, 2}, schXY{3, 4}}),
	schemaType("slices of two", struct {
		V []schXY
		W []schYX
	}{[]schXY{{1, 2}}, []schYX{{4, 3}}}),
	schemaType("slices of one", struct{ V, W []schXY }{[]schXY{{1, 2}}, []schXY{{3, 4}}}),
}

func init() {
	gob.Register([]any{})
	gob.Register(map[string]any{})
	gob.Register(map[int]int{})
	gob.Register(map[string]int{})
}
