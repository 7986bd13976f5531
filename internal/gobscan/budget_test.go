package gobscan_test

import (
	"bytes"
	"encoding/gob"
	"reflect"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/gobscan"
)

type (
	wide struct {
		N   int
		Pad [120]byte
	}
	wider struct {
		N   int
		Pad [500]byte
	}
	tree struct {
		Name string
		Kids []tree
		Next *tree
		Any  any
	}
)

func init() {
	gob.Register(wide{})
	gob.Register(tree{})
	gob.Register(&wider{})
	gob.Register(time.Time{})
}

// What is allocated is never more than the estimate, and for values of some size
// the estimate is not many times as much: then it would refuse good payloads.
func TestBudget(t *testing.T) {
	measureBudget(t, "int", 1)
	measureBudget(t, "string", string(make([]byte, 100_000)))
	measureBudget(t, "bytes", make([]byte, 100_000))
	measureBudget(t, "large bytes", make([]byte, 12<<20))
	measureBudget(t, "large string", string(make([]byte, 12<<20)))
	measureBudget(t, "order", sample)
	measureBudget(t, "orders", slices.Repeat([]order{sample}, 200))
	measureBudget(t, "ints", make([]int, 2_000))
	measureBudget(t, "small ints", make([]int8, 2_000))
	measureBudget(t, "many ints", make([]int, 1_500_000))
	measureBudget(t, "wide", make([]wide, 2_000))
	measureBudget(t, "wider", make([]wider, 1000))
	measureBudget(t, "strings", make([]string, 2_000))
	measureBudget(t, "short strings", slices.Repeat([]string{"ab"}, 2_000))
	measureBudget(t, "byte slices", slices.Repeat([][]byte{{1}}, 2_000))
	measureBudget(t, "empty slices", make([][]tree, 2_000))
	measureBudget(t, "slices of one", slices.Repeat([][]int{{1}}, 2_000))
	measureBudget(t, "slices of one wide", slices.Repeat([][]wide{{{N: 1}}}, 2_000))
	measureBudget(t, "pointers", slices.Repeat([]*wide{{N: 1}}, 2_000))
	n := 1
	p := &n
	measureBudget(t, "pointers to pointers", slices.Repeat([]**int{&p}, 2_000))
	measureBudget(t, "arrays", make([][3]int, 2_000))
	measureBudget(t, "trees", tree{Kids: slices.Repeat([]tree{{Name: "a", Next: &tree{}}}, 2_000)})
	measureBudget(t, "any", slices.Repeat([]any{1, "text", 2.5}, 500))
	measureBudget(t, "any struct", slices.Repeat([]any{wide{N: 1}, tree{}, &wider{N: 2}}, 500))
	measureBudget(t, "empty maps", slices.Repeat([]map[int]int{{}}, 2_000))
	measureBudget(t, "maps of one", slices.Repeat([]map[int]int{{1: 2}}, 2_000))
	measureBudget(t, "maps of one wide", slices.Repeat([]map[int]wide{{1: {}}}, 2_000))
	for _, n := range []int{7, 8, 9, 14, 15, 100, 113, 500, 897, 1792, 5000} {
		measureBudget(t, "map", filled[int8, int8](min(n, 100)))
		measureBudget(t, "map of ints", filled[int, int](n))
		measureBudget(t, "map of empty structs", filled[int, struct{}](n))
		measureBudget(t, "map of wide", filled[int, wide](n))
		measureBudget(t, "map of wider", filled[int, wider](n))
		measureBudget(t, "map of pointers", filledPointers(n))
	}
}

func filled[K int | int8, V any](n int) map[K]V {
	m := make(map[K]V)
	var v V
	for i := range n {
		m[K(i)] = v
	}
	return m
}

func filledPointers(n int) map[int]*wide {
	m := make(map[int]*wide)
	for i := range n {
		m[i] = &wide{N: 1}
	}
	return m
}

// others is what the runtime and its collector may allocate meanwhile, which
// counts as well.
const others = 16 << 10

func measureBudget[T any](t *testing.T, name string, v T) {
	t.Helper()
	var buf bytes.Buffer
	enc := gob.NewEncoder(&buf)
	scan := gobscan.New(reflect.TypeFor[T]())
	for round := range 3 { // the second and third time without definitions
		buf.Reset()
		if err := enc.Encode(&v); err != nil {
			t.Fatal(err)
		}
		got := reflect.New(reflect.TypeFor[T]())
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := scan.Scan(buf.Bytes())
		estimate := scan.Spent()
		if err == nil {
			err = scan.Decode(buf.Bytes(), got)
		}
		runtime.ReadMemStats(&after)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		spent, want := after.TotalAlloc-before.TotalAlloc, estimate+64
		if spent > want+others {
			t.Errorf("%s, round %d: %d bytes were allocated, estimated were %d", name, round, spent, want)
		}
		if want > 8*spent+20_000 {
			t.Errorf("%s, round %d: %d bytes were allocated, estimated were %d: too many", name, round, spent, want)
		}
	}
}
