package shapes

import (
	"strings"
	"time"
)

// Types of structs.
type (
	Order struct {
		ID     uint64
		Symbol string
		Side   uint8
		Price  float64
		Qty    int64
		Client string
		Tags   []string
		TS     int64
	}
	Point   struct{ X, Y int32 }
	Numbers struct {
		A bool
		B int8
		C int16
		D int32
		E int64
		F int
		G uint8
		H uint16
		I uint32
		J uint64
		K uint
		L float32
		M float64
		N time.Duration
	}
	Texts  struct{ A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P, Q, R, S, T string }
	Nested struct {
		Name  string
		Inner struct {
			Name  string
			Inner struct {
				Name  string
				Inner struct {
					Name string
					Point
				}
			}
		}
	}
	Base   struct{ ID, Version int64 }
	Embeds struct {
		Base
		*Point
		Name string
	}
	Omits struct {
		A int               `msgpack:"a,omitempty"`
		B string            `msgpack:"b,omitempty"`
		C []int             `msgpack:"c,omitempty"`
		D map[string]string `msgpack:"d,omitempty"`
		E *int              `msgpack:"e,omitempty"`
		F float64           `msgpack:"f,omitempty"`
		G bool              `msgpack:"g,omitempty"`
		H time.Time         `msgpack:"h,omitempty"`
	}
	Arrayed struct {
		_msgpack struct{} `msgpack:",as_array"`
		ID       uint64
		Name     string
		Price    float64
		Tags     []string
	}
	Pointers struct {
		A *int
		B *string
		C *float64
		D *Point
		E *bool
		F *[]string
	}
	LongNames struct {
		TheIdentifierOfTheOrder    uint64
		TheNameOfTheSymbol         string
		ThePriceForEachOfThem      float64
		TheQuantityThatIsAskedFor  int64
		TheClientWhoAsksForIt      string
		TheTimeAtWhichItWasOrdered time.Time
	}
	Node struct {
		Value int
		Next  *Node
	}
	Tree struct {
		Name string
		Kids []Tree
	}
	Wide struct { // more fields than bits in a word
		F00, F01, F02, F03, F04, F05, F06, F07, F08, F09, F10, F11, F12, F13, F14, F15, F16, F17 int64
		F18, F19, F20, F21, F22, F23, F24, F25, F26, F27, F28, F29, F30, F31, F32, F33, F34, F35 float64
		F36, F37, F38, F39, F40, F41, F42, F43, F44, F45, F46, F47, F48, F49, F50, F51, F52, F53 string
		F54, F55, F56, F57, F58, F59, F60, F61, F62, F63, F64, F65, F66, F67, F68, F69, F70, F71 bool
	}
	Invoice struct {
		Order
		Lines []Line
		Notes map[string]string
		Paid  bool
		Due   time.Time
	}
	Line struct {
		Item  string
		Count int
		Price float64
	}
)

var order = Order{1234567, "BTC-USD", 1, 64123.5, 250, "desk-7/algo-3", []string{"ioc", "eu-west"}, 1764000000123456789}

var _ = Arrayed{}._msgpack // what only v5's rules look at

func scalars() []Shape {
	return append([]Shape{
		of("bool", true),
		of("int64, one byte", int64(7)),
		of("int64, nine bytes", int64(-1<<40)),
		of("uint64", uint64(1)<<60),
		of("float64", 3.25),
		of("time.Time", time.Unix(1764000000, 123456789)),
		of("string of 10 bytes", "desk-7/alg"),
		of("string of 10 bytes, not ASCII", "東京a東京"[:10]),
		of("bytes, 1 KiB", []byte(strings.Repeat("\x00\xff\x80z", 256))),
		of("bytes, 1 MiB", []byte(strings.Repeat("\x00\xff\x80z", 256<<10))),
	}, as(Long,
		of("string of 1 KiB", strings.Repeat("0123456789abcdef", 64)),
		of("string of 1 KiB, not ASCII", strings.Repeat("東京とàéîЖ ", 64)),
		of("string of 1 MiB", strings.Repeat("0123456789abcdef", 64<<10)),
		of("string of 1 MiB, Japanese", strings.Repeat("吾輩は猫である。名前はまだ無い。", 1<<20/48)),
		of("string of 1 MiB, French", strings.Repeat("Longtemps, je me suis couché de bonne heure à l’été. ", 1<<20/58)),
		of("string of 1 MiB, Russian", strings.Repeat("Все счастливые семьи похожи друг на друга. ", 1<<20/76)),
		of("string of 1 MiB, ASCII but for its end", strings.Repeat("0123456789abcdef", 64<<10)+"é"),
	)...)
}

func structs() []Shape {
	n, s, f, b, tags := 7, "text", 2.5, true, []string{"a", "b"}
	var nested Nested
	nested.Name, nested.Inner.Name, nested.Inner.Inner.Name = "one", "two", "three"
	nested.Inner.Inner.Inner.Name, nested.Inner.Inner.Inner.X = "four", 5
	var list *Node
	for i := range 20 {
		list = &Node{i, list}
	}
	wide := Wide{F00: 1, F17: 1 << 40, F18: 1.5, F36: "some", F53: "text", F71: true}
	invoice := Invoice{Order: order, Notes: map[string]string{"to": "the door", "by": "noon"}, Paid: true, Due: time.Unix(1764000000, 0)}
	for i := range 10 {
		invoice.Lines = append(invoice.Lines, Line{"item " + string(rune('a'+i)), i, float64(i) / 3})
	}
	return []Shape{
		of("struct of 8 fields, an order", order),
		of("struct, pointer to it", &order),
		of("struct of 2 numbers", Point{1, -70000}),
		of("struct of all numbers", Numbers{true, -1, -1000, 1 << 20, -1 << 40, 7, 200, 60000, 1 << 30, 1 << 50, 9, 1.5, 2.5, time.Second}),
		of("struct of 20 strings", Texts{A: "alpha", B: "beta", C: "gamma", J: "a longer string of 32 characters", T: "tau"}),
		of("struct of 72 fields", wide),
		of("struct in struct, 4 levels", nested),
		of("struct with embedded structs", Embeds{Base{1, 2}, &Point{3, 4}, "name"}),
		of("struct with omitempty, full", Omits{1, "b", []int{1}, map[string]string{"k": "v"}, &n, 1.5, true, time.Unix(1764000000, 0)}),
		of("struct with omitempty, empty", Omits{}),
		of("struct as array", Arrayed{ID: 1, Name: "name", Price: 1.5, Tags: tags}),
		of("struct of pointers", Pointers{&n, &s, &f, &Point{1, 2}, &b, &tags}),
		of("struct of pointers, nil", Pointers{}),
		of("struct with long names", LongNames{1, "BTC-USD", 1.5, 250, "desk-7/algo-3", time.Unix(1764000000, 0)}),
		of("struct with slices and maps, an invoice", invoice),
		of("linked list of 20", list),
		of("tree of 85 nodes", tree(4)),
	}
}

// tree has four nodes below each that is not at the bottom.
func tree(levels int) Tree {
	t := Tree{Name: "node " + string(rune('0'+levels))}
	if levels > 1 {
		for range 4 {
			t.Kids = append(t.Kids, tree(levels-1))
		}
	}
	return t
}
