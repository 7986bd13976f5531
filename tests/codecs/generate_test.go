package codecs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"unicode/utf8"
)

// generator writes Go source with types drawn at random: named ones of every kind, with methods
// of their own or without, which hold and embed each other.
type generator struct {
	r     *rand.Rand
	named []drawnType
	total int // of named in the end
	b     strings.Builder
}

// drawnType is a type as source.
type drawnType struct {
	name       string
	comparable bool
	kind       string // "struct", "pointer", "interface"; else something that can be embedded
}

// generate returns a file of this package in which drawn has n types, and others that they
// consist of.
func generate(seed uint64, n int) string {
	g := &generator{r: rand.New(rand.NewPCG(seed, 17)), total: n}
	g.b.WriteString("// Code generated from a seed by TestDrawnTypes. DO NOT EDIT.\n\npackage codecs\n\nimport (\n")
	for _, p := range []string{"encoding", "encoding/json", "fmt", "log/slog", "math/big", "net", "net/netip", "net/url", "reflect", "sync", "time"} {
		fmt.Fprintf(&g.b, "\t%q\n", p)
	}
	g.b.WriteString("\n\t\"github.com/vmihailenco/msgpack/v5\"\n)\n\n")
	g.b.WriteString("type (\n\t_ = encoding.TextMarshaler\n\t_ = json.RawMessage\n\t_ = fmt.Stringer\n\t_ = slog.Level\n\t_ = big.Int\n\t_ = net.IP\n\t_ = netip.Addr\n\t_ = url.URL\n\t_ = sync.Mutex\n\t_ = time.Time\n\t_ = msgpack.RawMessage\n)\n\n")
	for i := range n {
		if g.one(3) {
			g.withMethods(i)
		} else {
			g.withoutMethods(i)
		}
	}
	g.b.WriteString("func init() {\n\tdrawn = []subject{\n")
	for i := range n {
		fmt.Fprintf(&g.b, "\t\tof[G%d](),\n", i)
		switch g.r.IntN(6) {
		case 0:
			fmt.Fprintf(&g.b, "\t\tof[*G%d](),\n", i)
		case 1:
			fmt.Fprintf(&g.b, "\t\tof[[]G%d](),\n", i)
		case 2:
			fmt.Fprintf(&g.b, "\t\tof[map[string]G%d](),\n", i)
		case 3:
			fmt.Fprintf(&g.b, "\t\tof[%s](),\n", g.typ(n, 1).name)
		}
	}
	g.b.WriteString("\t}\n\tanyTypes = append(anyTypes,\n")
	for i := range n {
		fmt.Fprintf(&g.b, "\t\treflect.TypeFor[G%d](),\n", i)
	}
	g.b.WriteString("\t)\n}\n")
	return g.b.String()
}

func (g *generator) one(n int) bool { return g.r.IntN(n) == 0 }

func (g *generator) pick(list ...string) string { return list[g.r.IntN(len(list))] }

// withMethods writes a type that encodes itself, by methods that belong together or do not.
// What they carry is a number or numbers, or a string, so that nothing is lost by the methods themselves.
func (g *generator) withMethods(i int) {
	u := []drawnType{
		{"int32", true, "int"}, {"uint8", true, "int"}, {"[]int16", false, "slice"}, {"[2]int8", true, "array"}, {"map[int]int", false, "map"},
		{"struct{ A int32; B []int16 }", false, "struct"}, {"struct{ A, B int }", true, "struct"}, {"struct{ P *int }", true, "struct"}, {"float64", true, "float"}, {"bool", true, "bool"},
		{"string", true, "string"}, {"string", true, "string"},
	}[g.r.IntN(12)]
	t := fmt.Sprintf("G%d", i)
	fmt.Fprintf(&g.b, "type %s %s\n\n", t, u.name)
	fmt.Fprintf(&g.b, "type plain%s %s\n\n", t, u.name)
	u.name = t
	enc := func(format string) string { return fmt.Sprintf(format, g.pick(t, t, "*"+t)) }
	plain := func(receiver, star string) string { return "(" + star + "plain" + t + ")(" + receiver + ")" }
	add := func(s string) { g.b.WriteString(s) }
	has := 0
	for _, m := range []string{"Text", "JSON", "Binary", "Gob", "Msgpack", "v5"} {
		how := g.r.IntN(14)
		if how > 5 {
			continue
		}
		has++
		if how != 4 { // the encoding half
			f := enc("func (p %s) ")
			v := plain("p", "")
			if strings.Contains(f, "*") {
				v = plain("*p", "")
			}
			body := "{ return asJSON(" + v + ") }\n\n"
			switch m {
			case "Text", "JSON", "Binary", "Msgpack":
				if m == "Msgpack" {
					body = "{ return msgpack.Marshal(" + v + ") }\n\n"
				}
				add(f + "Marshal" + m + "() ([]byte, error) " + body)
			case "Gob":
				add(f + "GobEncode() ([]byte, error) " + body)
			case "v5":
				add(f + "EncodeMsgpack(e *msgpack.Encoder) error { return e.Encode(" + v + ") }\n\n")
			}
		}
		if how != 5 {
			f, v := "func (p *"+t+") ", plain("p", "*")
			body := "{ return json.Unmarshal(b, " + v + ") }\n\n"
			switch m {
			case "Text", "JSON", "Binary", "Msgpack":
				if m == "Msgpack" {
					body = "{ return msgpack.Unmarshal(b, " + v + ") }\n\n"
				}
				add(f + "Unmarshal" + m + "(b []byte) error " + body)
			case "Gob":
				add(f + "GobDecode(b []byte) error " + body)
			case "v5":
				add(f + "DecodeMsgpack(d *msgpack.Decoder) error { return d.Decode(" + v + ") }\n\n")
			}
		}
	}
	if g.one(5) {
		fmt.Fprintf(&g.b, "func (p %s) IsZero() bool { return reflect.ValueOf(p).IsZero() }\n\n", t)
	}
	g.named = append(g.named, u)
}

func (g *generator) withoutMethods(i int) {
	u := drawnType{kind: "struct"}
	switch g.r.IntN(12) {
	case 0:
		u = g.list(i, 0)
	case 1:
		u = g.mapping(i, 0)
	case 2:
		u = g.basic()
	case 3:
		u = g.typ(i, 0)
	default:
		u = g.structure(i, 0)
	}
	if strings.HasPrefix(u.name, "*") {
		u.kind = "pointer"
	}
	fmt.Fprintf(&g.b, "type G%d %s\n\n", i, u.name)
	u.name = fmt.Sprintf("G%d", i)
	g.named = append(g.named, u)
}

func (g *generator) basic() drawnType {
	if g.one(40) {
		return drawnType{g.pick("chan int", "func()", "complex64", "uintptr", "complex128"), false, "odd"}
	}
	return drawnType{g.pick("bool", "int", "int8", "int16", "int32", "int64", "uint", "uint8", "uint16", "uint32", "uint64", "float32", "float64", "string", "string"), true, "basic"}
}

// standard are types of the standard library, and of this package.
var standardTypes = []drawnType{
	{"time.Time", true, "struct"}, {"time.Time", true, "struct"}, {"time.Duration", true, "int"}, {"time.Month", true, "int"}, {"netip.Addr", true, "struct"}, {"netip.Prefix", true, "struct"},
	{"netip.AddrPort", true, "struct"}, {"big.Int", false, "struct"}, {"*big.Int", true, "pointer"}, {"*big.Rat", true, "pointer"}, {"url.URL", true, "struct"}, {"json.RawMessage", false, "slice"},
	{"json.Number", true, "string"}, {"net.IP", false, "slice"}, {"slog.Level", true, "int"}, {"msgpack.RawMessage", false, "slice"}, {"sync.Mutex", false, "struct"}, {"struct{}", true, "literal"},
	{"[]byte", false, "literal"}, {"[4]byte", true, "literal"}, {"color", true, "int"}, {"temperature", true, "struct"}, {"custom", true, "struct"}, {"point", true, "struct"}, {"node", false, "struct"},
	{"word", true, "string"}, {"any", true, "interface"}, {"any", true, "interface"}, {"any", true, "interface"}, {"error", true, "interface"}, {"fmt.Stringer", true, "interface"}, {"encoding.TextMarshaler", true, "interface"},
}

// typ draws a type that the type number i can have in it, by value.
func (g *generator) typ(i, depth int) drawnType {
	n := 12
	if depth > 3 {
		n = 6
	}
	switch g.r.IntN(n) {
	case 0, 1:
		return g.basic()
	case 2, 3:
		s := standardTypes[g.r.IntN(len(standardTypes))]
		if s.kind == "literal" {
			s.kind = "unnamed"
		}
		return s
	case 4, 5:
		if i > 0 {
			return g.named[g.r.IntN(i)]
		}
		return g.basic()
	case 6:
		return drawnType{"*" + g.behind(i, depth).name, true, "pointer"}
	case 7, 8:
		return g.list(i, depth)
	case 9:
		return g.mapping(i, depth)
	case 10:
		n := g.r.IntN(3)
		e := g.typ(i, depth+1)
		return drawnType{fmt.Sprintf("[%d]%s", n, e.name), e.comparable, "unnamed"}
	}
	s := g.structure(i, depth+1)
	s.kind = "unnamed"
	return s
}

// behind draws a type that is behind a pointer or in a slice or map: one that is declared
// later will do, too.
func (g *generator) behind(i, depth int) drawnType {
	if g.one(4) {
		return drawnType{fmt.Sprintf("G%d", g.r.IntN(g.total)), false, ""}
	}
	return g.typ(i, depth+1)
}

func (g *generator) list(i, depth int) drawnType {
	return drawnType{"[]" + g.behind(i, depth).name, false, "unnamed"}
}

func (g *generator) mapping(i, depth int) drawnType {
	key := drawnType{g.pick("string", "string", "string", "int", "uint8", "word"), true, ""}
	if g.one(3) {
		if k := g.typ(i, depth+2); k.comparable {
			key = k
		}
	}
	return drawnType{"map[" + key.name + "]" + g.behind(i, depth).name, false, "unnamed"}
}

func (g *generator) structure(i, depth int) drawnType {
	var b strings.Builder
	b.WriteString("struct {\n")
	used := map[string]bool{}
	all := true
	if g.one(15) {
		b.WriteString("\t_msgpack struct{} `msgpack:\"" + g.pick(",as_array", ",omitempty") + "\"`\n")
	}
	for range g.r.IntN(6) {
		if g.one(4) && i > 0 {
			t := g.named[g.r.IntN(i)]
			if g.one(4) {
				t = standardTypes[g.r.IntN(len(standardTypes))]
			}
			name := t.name[strings.LastIndexByte(t.name, '.')+1:]
			if used[name] || t.kind == "pointer" || t.kind == "unnamed" && !strings.HasPrefix(name, "G") || t.kind == "literal" {
				continue
			}
			used[name] = true
			if t.kind != "interface" && g.one(3) {
				t = drawnType{"*" + t.name, true, "pointer"}
			}
			all = all && t.comparable
			fmt.Fprintf(&b, "\t%s%s\n", t.name, g.tag())
			continue
		}
		name := g.pick("A", "B", "C", "D", "E", "F", "X", "N", "small", "Long_name")
		if used[name] {
			continue
		}
		used[name] = true
		t := g.typ(i, depth+1)
		all = all && t.comparable
		fmt.Fprintf(&b, "\t%s %s%s\n", name, t.name, g.tag())
	}
	b.WriteString("}")
	return drawnType{b.String(), all, "struct"}
}

func (g *generator) tag() string {
	if !g.one(4) {
		return ""
	}
	name := g.pick("", "", "", "a", "b", "A", "x y", "-", "ключ")
	opt := g.pick("", ",omitempty", ",omitempty", ",omitzero", ",string", ",inline", ",noinline", ",alias:z", ",intern")
	if name == "-" {
		opt = ""
	}
	return fmt.Sprintf(" `json:%q msgpack:%q`", name+opt, name+opt)
}

// asJSON is json.Marshal for the methods of drawn types, which change no text: package json makes
// valid UTF-8 of every string, in a way that differs between releases of Go.
func asJSON(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err == nil && (bytes.Contains(b, []byte(`\ufffd`)) || bytes.ContainsRune(b, utf8.RuneError)) {
		err = errors.New("not UTF-8")
	}
	return b, err
}

var _ = asJSON // which only drawn types call
