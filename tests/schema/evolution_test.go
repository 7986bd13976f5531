package schema

import (
	"cmp"
	"encoding/gob"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/schema"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// -update writes what the tests find into the table of docs/evolution.md.
var updateDocs = flag.Bool("update", false, "write docs/evolution.md's table anew")

// evolutionCodecs are the columns of the table.
var evolutionCodecs = []string{"msgpack", "arrays", "gob", "json", "union"}

// evolution is one row: what comes of a change with each codec.
type evolution struct {
	change string
	cell   func(t *testing.T, codec string) string
}

// evolve makes a row of a type and what it is changed to. Of a value of the old type, asNew is what
// arrives if the change is harmless, and the reverse.
func evolve[Old, New any](change string, old Old, asNew New, new New, asOld Old) evolution {
	return evolution{change, func(t *testing.T, codec string) string {
		return evolveCell(t, evolutionCodec[Old](codec), evolutionCodec[New](codec), old, asNew, new, asOld)
	}}
}

// evolveUnion makes a row of a union and what it is changed to.
func evolveUnion(change string, before, after []qsocket.Variant[any], old, asNew, new, asOld any) evolution {
	return evolution{change, func(t *testing.T, codec string) string {
		if codec != "union" {
			return "–"
		}
		return evolveCell(t, qsocket.Union(before...), qsocket.Union(after...), old, asNew, new, asOld)
	}}
}

// evolveCell says what Golden and the handshake say, and what an old peer reads that a new
// one has sent, and the reverse.
func evolveCell[Old, New any](t *testing.T, before qsocket.Codec[Old], after qsocket.Codec[New], old Old, asNew New, new New, asOld Old) string {
	return strings.Join([]string{verdictOf(t, before, after), shakeOf(t, before, after), trip(t, after, before, new, asOld), trip(t, before, after, old, asNew)}, " · ")
}

// verdictOf is the worst heading under which Golden lists a difference.
func verdictOf[Old, New any](t *testing.T, before qsocket.Codec[Old], after qsocket.Codec[New]) string {
	t.Helper()
	parse := func(text string) *schema.Schema {
		s, err := schema.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	worst := ""
	for _, d := range schema.CompareRecord(parse(qsocket.Protocol[New]{Codec: after}.Schema()), parse(qsocket.Protocol[Old]{Codec: before}.Schema())) {
		switch d.Verdict() {
		case schema.Breaks:
			return "breaks"
		case schema.Loses:
			worst = "loses"
		case schema.Safe:
			worst = cmp.Or(worst, "safe")
		}
	}
	return cmp.Or(worst, "same")
}

// shakeOf is what a named protocol makes of it.
func shakeOf[Old, New any](t *testing.T, before qsocket.Codec[Old], after qsocket.Codec[New]) string {
	t.Helper()
	_, _, errA, errB := shake(t, "pipe", before, after)
	if (errA == nil) != (errB == nil) {
		t.Errorf("got %v and %v, want the same at both ends", errA, errB)
	}
	if errA != nil {
		return "refused"
	}
	return "talk"
}

// trip sends a value over a connection, in raw mode, where nothing is compared first. An error
// names the field, or is told to be unnamed.
func trip[From, To any](t *testing.T, from qsocket.Codec[From], to qsocket.Codec[To], sent From, want To) string {
	t.Helper()
	na, nb := qsockettest.NetPipe()
	a, err := qsocket.NewConn(t.Context(), na, qsocket.Protocol[From]{Codec: from}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer testkit.End(a)
	b, err := qsocket.NewConn(t.Context(), nb, qsocket.Protocol[To]{Codec: to}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer testkit.End(b)
	if err := a.Send(t.Context(), sent); err != nil {
		return "not sent"
	}
	if err := a.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := b.Recv(t.Context())
	switch {
	case err == io.EOF:
		return "skipped"
	case err != nil && !evolutionNames.MatchString(err.Error()):
		return "error, unnamed"
	case err != nil:
		return "error"
	case reflect.DeepEqual(got, want):
		return "works"
	case reflect.ValueOf(&got).Elem().IsZero():
		return "**empty**"
	}
	return fmt.Sprintf("**%s**", evolutionText(got))
}

// evolutionNames finds in an error the name of a field, or of a case, that it is about.
var evolutionNames = regexp.MustCompile(`\b(V|N|M|Note|Qty|Symbol|tag [0-9]+)\b`)

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
	case "union":
		return inUnion[T]{qsocket.Union(qsocket.Case[any](1, qsocket.Msgpack[T]()), qsocket.SkipUnknown[any]())}
	default:
		return qsocket.JSON[T]()
	}
}

// inUnion is a codec whose messages are the only case of a union.
type inUnion[T any] struct{ union qsocket.Codec[any] }

func (c inUnion[T]) Name() string                   { return c.union.Name() }
func (c inUnion[T]) Schema() string                 { return qsocket.Protocol[any]{Codec: c.union}.Schema() }
func (c inUnion[T]) NewEncoder() qsocket.Encoder[T] { return inUnionEncoder[T]{c.union.NewEncoder()} }
func (c inUnion[T]) NewDecoder() qsocket.Decoder[T] { return inUnionDecoder[T]{c.union.NewDecoder()} }

type inUnionEncoder[T any] struct{ enc qsocket.Encoder[any] }

func (e inUnionEncoder[T]) Append(dst []byte, v T) ([]byte, error) { return e.enc.Append(dst, v) }

type inUnionDecoder[T any] struct{ dec qsocket.Decoder[any] }

func (d inUnionDecoder[T]) Decode(payload []byte) (v T, err error) {
	got, err := d.dec.Decode(payload)
	if err == nil {
		v = got.(T)
	}
	return v, err
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

	EvoPair  struct{ N, M int }
	evoAlias struct {
		Symbol string
		Amount string `msgpack:"Amount,alias:Qty"`
	}
	evoTyped struct{ Symbol, Qty string }

	evoSide uint8
	evoText uint8
	evoInt  struct{ N int }
	evoTwo  struct{ N, M int }
	evoTurn struct{ M, N int }
)

var evolutions = []evolution{
	evolve("a field is added", evoBase{"ABC", "1"}, evoAdded{"ABC", "", "1"}, evoAdded{"ABC", "x", "1"}, evoBase{"ABC", "1"}),
	evolve("a field is added at the end", evoBase{"ABC", "1"}, evoLast{"ABC", "1", ""}, evoLast{"ABC", "1", "x"}, evoBase{"ABC", "1"}),
	evolve("a field is removed", evoAdded{"ABC", "x", "1"}, evoBase{"ABC", "1"}, evoBase{"ABC", "1"}, evoAdded{"ABC", "", "1"}),
	evolve("a field is renamed", evoBase{"ABC", "1"}, evoRenamed{"ABC", "1"}, evoRenamed{"ABC", "1"}, evoBase{"ABC", "1"}),
	evolve("all fields are renamed", evoOf[int]{1}, evoInt{1}, evoInt{1}, evoOf[int]{1}),
	evolve("a field is renamed, with an alias to the old name", evoBase{"ABC", "1"}, evoAlias{"ABC", "1"}, evoAlias{"ABC", "1"}, evoBase{"ABC", "1"}),
	evolve("fields change places", evoBase{"ABC", "1"}, evoOrder{"1", "ABC"}, evoOrder{"1", "ABC"}, evoBase{"ABC", "1"}),
	evolve("the case of names", evoBase{"ABC", "1"}, evoCase{"ABC", "1"}, evoCase{"ABC", "1"}, evoBase{"ABC", "1"}),
	evolve("the name of the Go type", evoBase{"ABC", "1"}, evoTyped{"ABC", "1"}, evoTyped{"ABC", "1"}, evoBase{"ABC", "1"}),

	evolve("int → int64", evoOf[int]{math.MaxInt}, evoOf[int64]{math.MaxInt}, evoOf[int64]{math.MaxInt}, evoOf[int]{math.MaxInt}),
	evolve("int → int8, of numbers that fit", evoOf[int]{-100}, evoOf[int8]{-100}, evoOf[int8]{-100}, evoOf[int]{-100}),
	evolve("int → int8, of others", evoOf[int]{300}, evoOf[int8]{}, evoOf[int8]{1}, evoOf[int]{1}),
	evolve("int8 → int, of numbers that do not fit", evoOf[int8]{1}, evoOf[int]{1}, evoOf[int]{300}, evoOf[int8]{}),
	evolve("int → uint, of positive numbers", evoOf[int]{300}, evoOf[uint]{300}, evoOf[uint]{300}, evoOf[int]{300}),
	evolve("int → uint, of negative ones", evoOf[int]{-1}, evoOf[uint]{}, evoOf[uint]{1}, evoOf[int]{1}),
	evolve("uint64 → int64, of large numbers", evoOf[uint64]{1<<64 - 1}, evoOf[int64]{}, evoOf[int64]{1}, evoOf[uint64]{1}),
	evolve("int → float64", evoOf[int]{3}, evoOf[float64]{3}, evoOf[float64]{3}, evoOf[int]{3}),
	evolve("int → float64, with a fraction", evoOf[int]{3}, evoOf[float64]{3}, evoOf[float64]{3.5}, evoOf[int]{}),
	evolve("float32 → float64", evoOf[float32]{0.5}, evoOf[float64]{0.5}, evoOf[float64]{0.5}, evoOf[float32]{0.5}),
	evolve("float64 → float32, of large numbers", evoOf[float64]{1e300}, evoOf[float32]{}, evoOf[float32]{0.5}, evoOf[float64]{0.5}),
	evolve("int → string", evoOf[int]{1}, evoOf[string]{}, evoOf[string]{"1"}, evoOf[int]{1}),
	evolve("int → bool", evoOf[int]{1}, evoOf[bool]{true}, evoOf[bool]{true}, evoOf[int]{1}),
	evolve("string → []byte", evoOf[string]{"YWJj"}, evoOf[[]byte]{[]byte("YWJj")}, evoOf[[]byte]{[]byte("abc")}, evoOf[string]{"abc"}),
	evolve("uint8 → a named uint8", evoOf[uint8]{2}, evoOf[evoSide]{2}, evoOf[evoSide]{2}, evoOf[uint8]{2}),
	evolve("an enumeration gets another value", evoOf[evoSide]{2}, evoOf[evoSide]{2}, evoOf[evoSide]{77}, evoOf[evoSide]{77}),
	evolve("an enumeration gets a text", evoOf[evoSide]{2}, evoOf[evoText]{2}, evoOf[evoText]{2}, evoOf[evoSide]{2}),

	evolve("T → *T", evoOf[int]{1}, evoOf[*int]{evoPtr(1)}, evoOf[*int]{evoPtr(1)}, evoOf[int]{1}),
	evolve("T → *T, nil", evoOf[int]{}, evoOf[*int]{evoPtr(0)}, evoOf[*int]{}, evoOf[int]{}),
	evolve("*T → T", evoOf[*int]{evoPtr(1)}, evoOf[int]{1}, evoOf[int]{1}, evoOf[*int]{evoPtr(1)}),
	evolve("T → []T", evoOf[int]{1}, evoOf[[]int]{[]int{1}}, evoOf[[]int]{[]int{1}}, evoOf[int]{1}),
	evolve("[]T → [2]T", evoOf[[]int]{[]int{1, 2}}, evoOf[[2]int]{[2]int{1, 2}}, evoOf[[2]int]{[2]int{1, 2}}, evoOf[[]int]{[]int{1, 2}}),
	evolve("[]T → [2]T, of three", evoOf[[]int]{[]int{1, 2, 3}}, evoOf[[2]int]{}, evoOf[[2]int]{[2]int{1, 2}}, evoOf[[]int]{[]int{1, 2}}),
	evolve("[3]T → [2]T", evoOf[[3]int]{[3]int{1, 2, 3}}, evoOf[[2]int]{}, evoOf[[2]int]{[2]int{1, 2}}, evoOf[[3]int]{[3]int{1, 2, 0}}),
	evolve("struct → map", evoOf[evoInt]{evoInt{1}}, evoOf[map[string]int]{map[string]int{"N": 1}}, evoOf[map[string]int]{map[string]int{"N": 1}}, evoOf[evoInt]{evoInt{1}}),
	evolve("struct → string", evoOf[evoInt]{evoInt{1}}, evoOf[string]{}, evoOf[string]{"1"}, evoOf[evoInt]{}),
	evolve("map[int]T → map[string]T", evoOf[map[int]int]{map[int]int{1: 2}}, evoOf[map[string]int]{map[string]int{"1": 2}}, evoOf[map[string]int]{map[string]int{"1": 2}}, evoOf[map[int]int]{map[int]int{1: 2}}),
	evolve("T → any", evoOf[string]{"a"}, evoOf[any]{"a"}, evoOf[any]{"a"}, evoOf[string]{"a"}),
	evolve("an any is removed", struct{ V, W any }{"a", "b"}, struct{ W any }{"b"}, struct{ W any }{"b"}, struct{ V, W any }{nil, "b"}),
	evolve("an any is removed that holds another", struct{ V, W any }{evoOf[any]{evoInt{1}}, "b"}, struct{ W any }{"b"}, struct{ W any }{"b"}, struct{ V, W any }{nil, "b"}),

	evolve("a nested struct gets a field", evoOf[evoInt]{evoInt{1}}, evoOf[evoTwo]{evoTwo{1, 0}}, evoOf[evoTwo]{evoTwo{1, 2}}, evoOf[evoInt]{evoInt{1}}),
	evolve("the same in a slice", evoOf[[]evoInt]{[]evoInt{{1}}}, evoOf[[]evoTwo]{[]evoTwo{{1, 0}}}, evoOf[[]evoTwo]{[]evoTwo{{1, 2}}}, evoOf[[]evoInt]{[]evoInt{{1}}}),
	evolve("two types with the same fields in another order become one",
		struct {
			V evoTwo
			W evoTurn
		}{evoTwo{1, 2}, evoTurn{4, 3}}, struct{ V, W evoTwo }{evoTwo{1, 2}, evoTwo{3, 4}},
		struct{ V, W evoTwo }{evoTwo{1, 2}, evoTwo{3, 4}}, struct {
			V evoTwo
			W evoTurn
		}{evoTwo{1, 2}, evoTurn{4, 3}}),
	evolve("fields move into a nested struct", evoTwo{1, 2}, struct{ V evoTwo }{evoTwo{1, 2}}, struct{ V evoTwo }{evoTwo{1, 2}}, evoTwo{1, 2}),
	evolve("fields move into an embedded struct", evoTwo{1, 2}, struct{ EvoPair }{EvoPair{1, 2}}, struct{ EvoPair }{EvoPair{1, 2}}, evoTwo{1, 2}),

	evolveUnion("a case is added, old peers have SkipUnknown", evoCases(evoA, evoSkip), evoCases(evoA, evoB, evoSkip), evoBase{"ABC", "1"}, evoBase{"ABC", "1"}, evoInt{1}, nil),
	evolveUnion("a case is added, old peers do not", evoCases(evoA), evoCases(evoA, evoB), evoBase{"ABC", "1"}, evoBase{"ABC", "1"}, evoInt{1}, nil),
	evolveUnion("a case is removed, new peers have SkipUnknown", evoCases(evoA, evoB, evoSkip), evoCases(evoA, evoSkip), evoInt{1}, nil, evoBase{"ABC", "1"}, evoBase{"ABC", "1"}),
	evolveUnion("a case is removed, new peers do not", evoCases(evoA, evoB), evoCases(evoA), evoInt{1}, nil, evoBase{"ABC", "1"}, evoBase{"ABC", "1"}),
	evolveUnion("two tags are exchanged", evoCases(evoA, evoB), evoCases(evoTag[evoInt](1), evoTag[evoBase](2)), evoBase{"ABC", "1"}, evoBase{"ABC", "1"}, evoBase{"ABC", "1"}, evoBase{"ABC", "1"}),
	evolveUnion("a tag is used again", evoCases(evoA, evoSkip), evoCases(evoTag[evoInt](1), evoSkip), evoBase{"ABC", "1"}, nil, evoInt{1}, nil),
	evolveUnion("a message gets another tag", evoCases(evoA, evoSkip), evoCases(evoTag[evoBase](3), evoSkip), evoBase{"ABC", "1"}, evoBase{"ABC", "1"}, evoBase{"ABC", "1"}, evoBase{"ABC", "1"}),
	evolveUnion("a case gets another codec", evoCases(evoA, evoB), evoCases(qsocket.Case[any](1, qsocket.JSON[evoBase]()), evoB), evoBase{"ABC", "1"}, evoBase{"ABC", "1"}, evoBase{"ABC", "1"}, evoBase{"ABC", "1"}),
	evolveUnion("SkipUnknown is added", evoCases(evoA), evoCases(evoA, evoSkip), evoBase{"ABC", "1"}, evoBase{"ABC", "1"}, evoBase{"ABC", "1"}, evoBase{"ABC", "1"}),
	evolveUnion("SkipUnknown is removed", evoCases(evoA, evoSkip), evoCases(evoA), evoBase{"ABC", "1"}, evoBase{"ABC", "1"}, evoBase{"ABC", "1"}, evoBase{"ABC", "1"}),
}

// The cases of the unions.
var (
	evoA    = evoTag[evoBase](1)
	evoB    = evoTag[evoInt](2)
	evoSkip = qsocket.SkipUnknown[any]()
)

func evoTag[V any](tag uint64) qsocket.Variant[any] {
	return qsocket.Case[any](tag, qsocket.Msgpack[V]())
}

func evoCases(cases ...qsocket.Variant[any]) []qsocket.Variant[any] { return cases }

func init() {
	gob.Register(evoOf[any]{})
	gob.Register(evoInt{})
}

func evoPtr(n int) *int { return &n }

func (v evoText) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "side %d", uint8(v)), nil }
func (v *evoText) UnmarshalText(text []byte) error {
	_, err := fmt.Sscanf(string(text), "side %d", (*uint8)(v))
	return err
}

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
			cells = append(cells, e.cell(t, codec))
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
