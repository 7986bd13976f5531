package codecs

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/vmihailenco/msgpack/v5"
)

// vector is a value and all its encodings, as testdata/msgpack.txt explains.
type vector struct {
	kind, value string
	encodings   [][]byte
}

func readVectors(t *testing.T) (all []vector) {
	f, err := os.Open("testdata/msgpack.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if line := lines.Text(); line != "" && line[0] != '#' {
			cols := strings.Split(line, " | ")
			v := vector{kind: cols[0], value: cols[1]}
			for _, e := range strings.Fields(cols[2]) {
				v.encodings = append(v.encodings, unhex(t, e))
			}
			all = append(all, v)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// unhex reads parts joined by +, each of which N* repeats.
func unhex(t *testing.T, s string) (b []byte) {
	for _, part := range strings.Split(s, "+") {
		n := 1
		if count, rest, ok := strings.Cut(part, "*"); ok {
			n, _ = strconv.Atoi(count)
			part = rest
		}
		p, err := hex.DecodeString(part)
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, bytes.Repeat(p, n)...)
	}
	return b
}

// number is N of "N*x".
func number(value string) int {
	s, _, _ := strings.Cut(value, "*")
	n, _ := strconv.Atoi(s)
	return n
}

// takes checks that all encodings decode to want, and that want is encoded as the first.
func takes[T any](t *testing.T, v vector, want T) {
	t.Helper()
	c := qsocket.Msgpack[T]()
	dec := c.NewDecoder()
	for _, e := range v.encodings {
		got, err := dec.Decode(e)
		if d := (comparer{codec: "msgpack"}).different(reflect.ValueOf(&want).Elem(), reflect.ValueOf(&got).Elem(), ""); err != nil || d != "" {
			t.Errorf("%s %s as %T: % .20x: %v %s", v.kind, v.value, want, e, err, d)
		}
	}
	if p, err := c.NewEncoder().Append(nil, want); err != nil || !bytes.Equal(p, v.encodings[0]) {
		t.Errorf("%s %s as %T: encoded % .20x, %v, want % .20x", v.kind, v.value, want, p, err, v.encodings[0])
	}
}

// decodes is takes for types that are encoded otherwise.
func decodes[T any](t *testing.T, v vector, want T) {
	t.Helper()
	for _, e := range v.encodings {
		got, err := qsocket.Msgpack[T]().NewDecoder().Decode(e)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s %s as %T: % .20x: got %.50v, %v", v.kind, v.value, want, e, got, err)
		}
	}
}

func refuses[T any](t *testing.T, v vector) {
	t.Helper()
	for _, e := range v.encodings {
		if got, err := qsocket.Msgpack[T]().NewDecoder().Decode(e); err == nil {
			t.Errorf("%s %s as %T: % .20x is taken for %v", v.kind, v.value, got, e, got)
		}
	}
}

// Every format, at its bounds, and every way to write a value.
func TestMsgpackVectors(t *testing.T) {
	encodings := 0
	for _, v := range readVectors(t) {
		encodings += len(v.encodings)
		for _, e := range v.encodings { // it is one value to those who skip it
			skipped := append([]byte{0x82, 0xa1, 'X'}, e...)
			skipped = append(skipped, 0xa1, 'Y', 7)
			decodes(t, vector{v.kind, v.value + ", skipped", [][]byte{skipped}}, struct{ Y int }{7})
			if v.kind != "nil" {
				decodes(t, vector{v.kind, v.value, [][]byte{e}}, msgpack.RawMessage(e))
			}
		}
		switch v.kind {
		case "int":
			integers(t, v)
		case "float":
			f, err := strconv.ParseFloat(v.value, 64)
			if err != nil {
				t.Fatal(err)
			}
			takes(t, v, f)
			takes(t, v, any(f))
		case "nil":
			takes(t, v, any(nil))
		case "bool":
			takes(t, v, v.value == "true")
			takes(t, v, any(v.value == "true"))
		case "str":
			s := strings.Repeat("x", number(v.value))
			if digits, ok := strings.CutPrefix(v.value, "hex:"); ok {
				s = string(unhex(t, digits))
			}
			takes(t, v, s)
			takes(t, v, any(s))
			decodes(t, v, []byte(s))
		case "bin":
			b := bytes.Repeat([]byte("x"), number(v.value))
			takes(t, v, b)
			takes(t, v, any(b))
			decodes(t, v, string(b))
		case "array":
			list, loose := make([]int, number(v.value)), make([]any, number(v.value))
			for i := range list {
				list[i], loose[i] = 5, int64(5)
			}
			takes(t, v, list)
			takes(t, v, any(loose))
			refuses[[13]int](t, vector{v.kind, v.value, v.encodings[:min(len(v.encodings), number(v.value)/14*9)]})
		case "map":
			m, loose := map[string]bool{}, map[string]any{}
			for i := range number(v.value) {
				m[strconv.Itoa(i)], loose[strconv.Itoa(i)] = true, true
			}
			takes(t, v, m)
			takes(t, v, any(loose))
		case "time":
			var sec, nsec int64
			if _, err := fmt.Sscanf(v.value, "%d.%d", &sec, &nsec); err != nil {
				t.Fatal(err)
			}
			takes(t, v, time.Unix(sec, nsec))
			takes(t, v, any(time.Unix(sec, nsec)))
		case "ext":
			refuses[any](t, v) // nobody has registered it
			refuses[string](t, v)
		default:
			t.Fatalf("no kind %q", v.kind)
		}
	}
	t.Logf("%d encodings", encodings)
	if encodings < 490 {
		t.Errorf("%d encodings, want 490 or more", encodings)
	}
}

// integers checks an integer for each type: it fits and is taken, or is refused.
func integers(t *testing.T, v vector) {
	n, ok := new(big.Int).SetString(v.value, 10)
	if !ok {
		t.Fatal(v.value)
	}
	signed[int8](t, v, n, 8)
	signed[int16](t, v, n, 16)
	signed[int32](t, v, n, 32)
	signed[int64](t, v, n, 64)
	unsigned[uint8](t, v, n, 8)
	unsigned[uint16](t, v, n, 16)
	unsigned[uint32](t, v, n, 32)
	unsigned[uint64](t, v, n, 64)
	if f, accuracy := new(big.Float).SetInt(n).Float64(); accuracy == big.Exact {
		decodes(t, v, f)
	} else {
		refuses[float64](t, v)
	}
	if f, accuracy := new(big.Float).SetInt(n).Float32(); accuracy == big.Exact {
		decodes(t, v, f)
	} else {
		refuses[float32](t, v)
	}
	refuses[string](t, v)
	refuses[time.Time](t, v)
}

func signed[T int8 | int16 | int32 | int64](t *testing.T, v vector, n *big.Int, bits int) {
	t.Helper()
	if n.IsInt64() && n.Int64() >= -1<<(bits-1) && n.Int64() <= math.MaxInt64>>(64-bits) {
		takes(t, v, T(n.Int64()))
	} else {
		refuses[T](t, v)
	}
}

func unsigned[T uint8 | uint16 | uint32 | uint64](t *testing.T, v vector, n *big.Int, bits int) {
	t.Helper()
	if n.IsUint64() && n.Uint64() <= math.MaxUint64>>(64-bits) {
		takes(t, v, T(n.Uint64()))
	} else {
		refuses[T](t, v)
	}
}

// Nil is the zero value in every kind of field, as an element, and as a whole message.
func TestMsgpackNil(t *testing.T) {
	nilIs[numbers](t)
	nilIs[texts](t)
	nilIs[pointers](t)
	nilIs[lists](t)
	nilIs[maps](t)
	nilIs[keys](t)
	nilIs[anyKeys](t)
	nilIs[times](t)
	nilIs[options](t)
	nilIs[node](t)
	nilIs[tree](t)
	nilIs[loose](t)
	nilIs[standard](t)
	nilIs[methods](t)
}

func nilIs[T any](t *testing.T) {
	var zero T
	whole := vector{"nil", "message", [][]byte{{0xc0}}}
	decodes(t, whole, zero)
	rt := reflect.TypeFor[T]()
	for i := range rt.NumField() {
		f := rt.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("msgpack"), ",")
		if name == "-" || !f.IsExported() {
			continue
		}
		if name == "" {
			name = f.Name
		}
		field := append([]byte{0x81, 0xa0 | byte(len(name))}, name...)
		decodes(t, vector{"nil", f.Name, [][]byte{append(field, 0xc0)}}, zero)
		if k := f.Type.Kind(); k == reflect.Slice && f.Type.Elem().Kind() != reflect.Uint8 {
			want := zero
			reflect.ValueOf(&want).Elem().Field(i).Set(reflect.MakeSlice(f.Type, 2, 2))
			decodes(t, vector{"nil", "elements of " + f.Name, [][]byte{append(field, 0x92, 0xc0, 0xc0)}}, want)
		}
	}
}
