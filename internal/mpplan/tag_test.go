package mpplan_test

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

// Structs with tags of all sorts, well-formed or not, have the fields that v5 sees.
func TestTagsAsV5(t *testing.T) {
	defer log.SetOutput(log.Writer())
	log.SetOutput(io.Discard) // v5 reports names that are there twice
	parts := []string{
		"a", "b", "name", "", " ", "-", ",", ",", ",", ":", "'", `\`, `\'`, "(", ")", "omitempty", ",omitempty", "noinline",
		",inline", "as_array", "alias:", "alias:x", "'a,b'", "x:y", "x:'y,z'", "x:f(a,b)", "ż",
	}
	r := rand.New(rand.NewPCG(7, 8))
	types := []reflect.Type{reflect.TypeFor[int](), reflect.TypeFor[string](), reflect.TypeFor[[]int](), reflect.TypeFor[*Point]()}
	for range 2000 {
		var fields []reflect.StructField
		for i := range 3 {
			var tag strings.Builder
			for range r.IntN(5) {
				tag.WriteString(parts[r.IntN(len(parts))])
			}
			fields = append(fields, reflect.StructField{
				Name: string(rune('A' + i)), Type: types[r.IntN(len(types))], Tag: reflect.StructTag(fmt.Sprintf("msgpack:%q", tag.String())),
			})
		}
		v := reflect.New(reflect.StructOf(fields))
		for i := range fields {
			random(r, v.Elem().Field(i), 3)
		}
		got, gotErr := encode(v.Interface(), false)
		if gotErr != nil && strings.Contains(gotErr.Error(), "are named") {
			continue
		}
		want, wantErr := v5Encode(v.Interface(), false)
		if (gotErr != nil) != (wantErr != nil) || !bytes.Equal(got, want) {
			t.Fatalf("%v:\ngot  %q, %v\nwant %q, %v", v.Type().Elem(), got, gotErr, want, wantErr)
		}
	}
}
