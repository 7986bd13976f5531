package schema

import (
	"encoding/gob"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket"
)

// -update writes what the tests find into the table of docs/evolution.md.
var updateDocs = flag.Bool("update", false, "write docs/evolution.md's table anew")

// evolutionCodecs are the columns of the table.
var evolutionCodecs = []string{"msgpack", "arrays", "gob", "json"}

// evolution is one row: a value of the sender's type and what a receiver with
// another type makes of it.
type evolution struct {
	change string
	trip   func(codec string) string
}

// evolve makes a row. same is what arrives if the change is harmless; how says what
// that means, where it is not obvious.
func evolve[From, To any](change string, sent From, same To, how string) evolution {
	return evolution{change, func(codec string) string {
		payload, err := evolutionCodec[From](codec).NewEncoder().Append(nil, sent)
		if err != nil {
			return "not sent"
		}
		got, err := safely(func() (To, error) { return evolutionCodec[To](codec).NewDecoder().Decode(payload) })
		switch {
		case err != nil && !evolutionNames.MatchString(err.Error()):
			return "error, unnamed"
		case err != nil:
			return "error"
		case !reflect.DeepEqual(got, same) && reflect.ValueOf(got).IsZero():
			return "ignored, zero"
		case !reflect.DeepEqual(got, same):
			return fmt.Sprintf("**arrives as %s**", evolutionText(got))
		case how != "":
			return how
		default:
			return "works"
		}
	}}
}

// evolutionNames finds in an error the name of a field that it is about.
var evolutionNames = regexp.MustCompile(`\b(V|N|M|Note|Qty|Symbol)\b`)

func safely[T any](f func() (T, error)) (v T, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return f()
}

func evolutionCodec[T any](name string) qsocket.Codec[T] {
	switch name {
	case "msgpack":
		return qsocket.Msgpack[T]()
	case "arrays":
		return qsocket.Msgpack[T](qsocket.ArrayEncodedStructs())
	case "gob":
		return qsocket.Gob[T]()
	default:
		return qsocket.JSON[T]()
	}
}

// evolutionText describes a struct to the readers of the table: its fields.
func evolutionText(v any) string {
	text := fmt.Sprintf("%+v", v)
	return strings.TrimSuffix(strings.TrimPrefix(text, "{"), "}")
}

// The types of the table. Symbol and Qty are in all of them, before and after what
// changes.
type (
	evoBase  struct{ Symbol, Qty string }
	evoAdded struct {
		Symbol string
		Note   string
		Qty    string
	}
	evoLast struct {
		Symbol string
		Qty    string
		Note   string
	}
	evoRenamed struct{ Symbol, Amount string }
	evoOrder   struct{ Qty, Symbol string }
	evoCase    struct{ SYMBOL, QTY string }

	evoOf[T any] struct{ V T }

	evoSide uint8
	evoInt  struct{ N int }
	evoTwo  struct{ N, M int }
	evoTurn struct{ M, N int }
)

var evolutions = []evolution{
	evolve("a field is added, new sender", evoAdded{"ABC", "x", "1"}, evoBase{"ABC", "1"}, "ignored"),
	evolve("a field is added, old sender", evoBase{"ABC", "1"}, evoAdded{"ABC", "", "1"}, "zero"),
	evolve("a field is added at the end, new sender", evoLast{"ABC", "1", "x"}, evoBase{"ABC", "1"}, "ignored"),
	evolve("a field is added at the end, old sender", evoBase{"ABC", "1"}, evoLast{"ABC", "1", ""}, "zero"),
	evolve("a field is renamed", evoBase{"ABC", "1"}, evoRenamed{"ABC", ""}, "ignored, zero"),
	evolve("all fields are renamed", evoOf[int]{1}, evoInt{}, "ignored, zero"),
	evolve("fields change places", evoBase{"ABC", "1"}, evoOrder{"1", "ABC"}, ""),
	evolve("the case of names", evoBase{"ABC", "1"}, evoCase{"ABC", "1"}, ""),

	evolve("int → int64", evoOf[int]{math.MaxInt}, evoOf[int64]{math.MaxInt}, ""),
	evolve("int → int8, fits", evoOf[int]{-100}, evoOf[int8]{-100}, ""),
	evolve("int → int8, does not fit", evoOf[int]{300}, evoOf[int8]{}, ""),
	evolve("int → uint, positive", evoOf[int]{300}, evoOf[uint]{300}, ""),
	evolve("int → uint, negative", evoOf[int]{-1}, evoOf[uint]{}, ""),
	evolve("uint64 → int64, does not fit", evoOf[uint64]{1<<64 - 1}, evoOf[int64]{}, ""),
	evolve("int → float64", evoOf[int]{3}, evoOf[float64]{3}, ""),
	evolve("float64 → int, whole", evoOf[float64]{3}, evoOf[int]{3}, ""),
	evolve("float64 → int, with a fraction", evoOf[float64]{3.5}, evoOf[int]{}, ""),
	evolve("float32 → float64", evoOf[float32]{0.5}, evoOf[float64]{0.5}, ""),
	evolve("float64 → float32, fits", evoOf[float64]{0.5}, evoOf[float32]{0.5}, ""),
	evolve("float64 → float32, too large", evoOf[float64]{1e300}, evoOf[float32]{}, ""),
	evolve("int → string", evoOf[int]{1}, evoOf[string]{}, ""),
	evolve("string → int", evoOf[string]{"1"}, evoOf[int]{}, ""),
	evolve("int → bool", evoOf[int]{1}, evoOf[bool]{}, ""),
	evolve("string → []byte", evoOf[string]{"YWJj"}, evoOf[[]byte]{[]byte("YWJj")}, ""),
	evolve("[]byte → string", evoOf[[]byte]{[]byte("abc")}, evoOf[string]{"abc"}, ""),
	evolve("uint8 → a named uint8", evoOf[uint8]{2}, evoOf[evoSide]{2}, ""),
	evolve("a new value of an enumeration", evoOf[evoSide]{77}, evoOf[evoSide]{77}, "arrives as it is"),

	evolve("T → *T", evoOf[int]{1}, evoOf[*int]{evoPtr(1)}, ""),
	evolve("*T → T", evoOf[*int]{evoPtr(1)}, evoOf[int]{1}, ""),
	evolve("*T → T, nil", evoOf[*int]{}, evoOf[int]{}, "zero"),
	evolve("T → []T", evoOf[int]{1}, evoOf[[]int]{}, ""),
	evolve("[]T → T", evoOf[[]int]{[]int{1}}, evoOf[int]{}, ""),
	evolve("[]T → [2]T, two", evoOf[[]int]{[]int{1, 2}}, evoOf[[2]int]{[2]int{1, 2}}, ""),
	evolve("[]T → [2]T, three", evoOf[[]int]{[]int{1, 2, 3}}, evoOf[[2]int]{}, ""),
	evolve("[3]T → [2]T", evoOf[[3]int]{[3]int{1, 2, 3}}, evoOf[[2]int]{}, ""),
	evolve("[2]T → []T", evoOf[[2]int]{[2]int{1, 2}}, evoOf[[]int]{[]int{1, 2}}, ""),
	evolve("struct → map", evoOf[evoInt]{evoInt{1}}, evoOf[map[string]int]{map[string]int{"N": 1}}, ""),
	evolve("map → struct", evoOf[map[string]int]{map[string]int{"N": 1}}, evoOf[evoInt]{evoInt{1}}, ""),
	evolve("struct → string", evoOf[evoInt]{evoInt{1}}, evoOf[string]{}, ""),
	evolve("map[int]T → map[string]T", evoOf[map[int]int]{map[int]int{1: 2}}, evoOf[map[string]int]{map[string]int{"1": 2}}, ""),
	evolve("T → any", evoOf[string]{"a"}, evoOf[any]{"a"}, ""),
	evolve("any → T", evoOf[any]{"a"}, evoOf[string]{"a"}, ""),
	evolve("an any is removed", struct{ V, W any }{"a", nil}, struct{ W any }{}, "ignored"),
	evolve("an any is removed that holds another", struct{ V, W any }{evoOf[any]{evoInt{1}}, nil}, struct{ W any }{}, "ignored"),

	evolve("a nested struct gets a field, new sender", evoOf[evoTwo]{evoTwo{1, 2}}, evoOf[evoInt]{evoInt{1}}, "ignored"),
	evolve("a nested struct gets a field, old sender", evoOf[evoInt]{evoInt{1}}, evoOf[evoTwo]{evoTwo{1, 0}}, "zero"),
	evolve("the same in a slice, new sender", evoOf[[]evoTwo]{[]evoTwo{{1, 2}}}, evoOf[[]evoInt]{[]evoInt{{1}}}, "ignored"),
	evolve("the same in a slice, old sender", evoOf[[]evoInt]{[]evoInt{{1}}}, evoOf[[]evoTwo]{[]evoTwo{{1, 0}}}, "zero"),
	evolve("two types with the same fields in another order become one",
		struct {
			V evoTwo
			W evoTurn
		}{evoTwo{1, 2}, evoTurn{4, 3}}, struct{ V, W evoTwo }{evoTwo{1, 2}, evoTwo{3, 4}}, ""),
	evolve("fields move into a nested struct", evoTwo{1, 2}, struct{ V evoTwo }{}, "ignored, zero"),
	evolve("fields move into an embedded struct", evoTwo{1, 2}, struct{ evoTwo }{evoTwo{1, 2}}, ""),
}

func init() {
	gob.Register(evoOf[any]{})
	gob.Register(evoInt{})
}

func evoPtr(n int) *int { return &n }

// TestEvolution compares the table in docs/evolution.md with what the codecs do.
func TestEvolution(t *testing.T) {
	const path = "../../docs/evolution.md"
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	fmt.Fprintf(&table, "| change | %s |\n|---|%s\n", strings.Join(evolutionCodecs, " | "), strings.Repeat("---|", len(evolutionCodecs)))
	for _, e := range evolutions {
		var cells []string
		for _, codec := range evolutionCodecs {
			cells = append(cells, e.trip(codec))
		}
		fmt.Fprintf(&table, "| %s | %s |\n", e.change, strings.Join(cells, " | "))
	}
	before, old, after, err := cutTable(string(doc))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if *updateDocs {
		if err := os.WriteFile(path, []byte(before+table.String()+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	oldLines, newLines := strings.Split(old, "\n"), strings.Split(table.String(), "\n")
	if len(oldLines) != len(newLines) {
		t.Errorf("%s: got %d rows, want %d", path, len(oldLines), len(newLines))
	}
	for i := range min(len(oldLines), len(newLines)) {
		if oldLines[i] != newLines[i] {
			t.Errorf("%s says\n%s, but it is\n%s", path, oldLines[i], newLines[i])
		}
	}
	if t.Failed() {
		t.Logf("go test -run TestEvolution -update . writes the table anew")
	}
}

// cutTable cuts doc around the table that begins with "| change |".
func cutTable(doc string) (before, table, after string, err error) {
	start := strings.Index(doc, "| change |")
	if start < 0 {
		return "", "", "", errors.New("no table")
	}
	end := start
	for end < len(doc) && doc[end] == '|' {
		n := strings.IndexByte(doc[end:], '\n')
		if n < 0 {
			end = len(doc)
			break
		}
		end += n + 1
	}
	return doc[:start], doc[start:end], doc[end:], nil
}
