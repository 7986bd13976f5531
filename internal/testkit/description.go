package testkit

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/schema"
)

// Messages whose descriptions a hostile one can multiply with.
type (
	// Recursive leads to itself in every way there is.
	Recursive struct {
		Name  string
		Next  *Recursive
		Kids  []Recursive
		Index map[string]Recursive
		Pair  [2][]Recursive
		Any   any
		N     int8
		F     float32
		B     []byte
		At    time.Time
	}

	// Nested has structs of many types inside of each other.
	Nested struct {
		Next  Nested1
		Kids  []Nested1
		Index map[string]Nested2
		Same  Nested2
		Last  Nested3
	}
	Nested1 struct {
		Name string
		Next Nested2
		Kids map[string][]Nested3
		Any  any
	}
	Nested2 struct {
		Name string
		Next *Nested3
		N    int
		Any  []any
	}
	Nested3 struct {
		Name string
		N    uint16
		B    []byte
		Next *Recursive
	}

	// Either is a union of both.
	Either interface{ either() }
)

func (Recursive) either() {}
func (Nested) either()    {}

// DescribedServer is a kind of server of the corpus of descriptions.
type DescribedServer struct {
	Name, Codec string
	Head        string // of a description that means to meet ours: up to the definition of A
	Text        string // of its own messages
}

// DescribedServers lists the servers. The tests that start them have the types.
func DescribedServers() (list []DescribedServer) {
	for _, codec := range []string{"msgpack", "gob", "json"} {
		head := codec + "\nmessage A\n"
		list = append(list,
			DescribedServer{codec + " recursive", codec, head, CodecNamed[Recursive](codec).(schemaTeller).Schema()},
			DescribedServer{codec + " nested", codec, head, CodecNamed[Nested](codec).(schemaTeller).Schema()},
			DescribedServer{codec + " union", codec, fmt.Sprintf("union(%s)\nmessage E\nunion E\n 1 %s A\n", codec, codec), EitherCodec(codec).(schemaTeller).Schema()},
		)
	}
	return list
}

type schemaTeller interface{ Schema() string }

// EitherCodec is the codec of the union, with one codec for both cases.
func EitherCodec(codec string) qsocket.Codec[Either] {
	return qsocket.Union(
		qsocket.Case[Either](1, CodecNamed[Recursive](codec)),
		qsocket.Case[Either](2, CodecNamed[Nested](codec)),
	)
}

// CodecNamed returns the codec of the package with this name.
func CodecNamed[T any](name string) qsocket.Codec[T] {
	switch name {
	case "gob":
		return qsocket.Gob[T]()
	case "json":
		return qsocket.JSON[T]()
	}
	return qsocket.Msgpack[T]()
}

// GeneratedCase is a case of a corpus that is written as an expression.
type GeneratedCase struct {
	Name, Why string
	expr      string
	lets      map[string]string
}

// ReadGenerated reads a file of cases. The README.md in tests/hostile/testdata
// explains the expressions.
func ReadGenerated(path string) (cases []GeneratedCase, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lets := make(map[string]string)
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := strings.TrimLeft(lines.Text(), " ")
		if line == "" || line[0] == '#' {
			continue
		}
		if rest, ok := strings.CutPrefix(line, "let "); ok {
			name, expr, _ := strings.Cut(rest, "=")
			lets[strings.TrimSpace(name)] = expr
			continue
		}
		cols := strings.Split(line, " | ")
		if len(cols) != 3 {
			return nil, fmt.Errorf("%s: %d columns, want 3: %s", path, len(cols), line)
		}
		cases = append(cases, GeneratedCase{strings.TrimSpace(cols[0]), strings.TrimSpace(cols[2]), cols[1], lets})
	}
	return cases, lines.Err()
}

// Text evaluates the expression of c. vars are more names for it to use.
func (c GeneratedCase) Text(vars map[string]string) (text string, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s: %v", c.Name, r)
		}
	}()
	g := generator{vars: vars, lets: c.lets}
	g.eval(c.expr, nil)
	return g.b.String(), nil
}

type generator struct {
	b    strings.Builder
	vars map[string]string
	lets map[string]string
}

// eval appends what expr describes. counters are those of the repetitions that it is in,
// the innermost last.
func (g *generator) eval(expr string, counters []int) {
	for expr = strings.TrimSpace(expr); expr != ""; expr = strings.TrimSpace(expr) {
		switch expr[0] {
		case '\'':
			text, rest, ok := strings.Cut(expr[1:], "'")
			if !ok {
				panic("no quote at the end of " + expr)
			}
			g.text(text, counters)
			expr = rest
		case '$':
			name, rest, _ := strings.Cut(expr[1:], " ")
			if v, ok := g.vars[name]; ok {
				g.b.WriteString(v)
			} else if let, ok := g.lets[name]; ok {
				g.eval(let, counters)
			} else {
				panic("no name " + name)
			}
			expr = rest
		default:
			expr = g.repeat(expr, counters)
		}
	}
}

// text writes a literal: @ is the counter, ^ the next one, % the counter of the repetition
// around, and escapes are those of Go.
func (g *generator) text(s string, counters []int) {
	s, err := strconv.Unquote(`"` + strings.ReplaceAll(s, `"`, `\"`) + `"`)
	if err != nil {
		panic(fmt.Sprintf("%q: %v", s, err))
	}
	if n := len(counters); n > 0 {
		s = strings.ReplaceAll(s, "@", strconv.Itoa(counters[n-1]))
		s = strings.ReplaceAll(s, "^", strconv.Itoa(counters[n-1]+1))
		s = strings.ReplaceAll(s, "%", strconv.Itoa(counters[max(n-2, 0)]))
	}
	g.b.WriteString(s)
}

// repeat evaluates N*{…}, fill(N){…}, which leaves N bytes of the longest description for
// what follows, or hello{…}, and returns what comes behind it.
func (g *generator) repeat(expr string, counters []int) (rest string) {
	head, inner, ok := strings.Cut(expr, "{")
	end := 0
	for level, quoted := 1, false; ok && end < len(inner); end++ {
		switch inner[end] {
		case '\'':
			quoted = !quoted
		case '{':
			if !quoted {
				level++
			}
		case '}':
			if !quoted {
				level--
			}
		}
		if level == 0 {
			break
		}
	}
	if !ok || end == len(inner) {
		panic("no { } in " + expr)
	}
	body, rest := inner[:end], inner[end+1:]
	if count, ok := strings.CutSuffix(head, "*"); ok {
		n, err := strconv.Atoi(count)
		if err != nil {
			panic(err)
		}
		for i := range n {
			g.eval(body, append(counters, i))
		}
		return rest
	}
	if head == "hello" {
		inner := generator{vars: g.vars, lets: g.lets}
		inner.eval(body, counters)
		g.b.WriteString("QSK\x01" + string(binary.BigEndian.AppendUint32(nil, uint32(inner.b.Len()))) + inner.b.String())
		return rest
	}
	var spare int
	if _, err := fmt.Sscanf(head, "fill(%d)", &spare); err != nil {
		panic(fmt.Sprintf("%q: %v", head, err))
	}
	for i := 0; ; i++ {
		one := generator{vars: g.vars, lets: g.lets}
		one.eval(body, append(counters, i))
		if g.b.Len()+one.b.Len() > schema.MaxText-spare {
			return rest
		}
		g.b.WriteString(one.b.String())
	}
}
