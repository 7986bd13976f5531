package hostile

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// hostileCase is what one client sends before it hangs up.
type hostileCase struct {
	name, why string
	only      string   // server that it is for; empty for all
	refused   []string // servers that must refuse it, to others it may be harmless; nil for all
	payloads  [][]byte
}

func (c hostileCase) size() (n int) {
	for _, p := range c.payloads {
		n += len(p)
	}
	return n
}

// readHostileCases reads a file of cases. Its expressions are explained in the
// README.md beside it.
func readHostileCases(path string) (cases []hostileCase, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s: %v", path, r)
		}
	}()
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lets := map[string]string{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if rest, ok := strings.CutPrefix(line, "let "); ok {
			name, expr, _ := strings.Cut(rest, "=")
			lets[strings.TrimSpace(name)] = expr
			continue
		}
		cols := strings.Split(line, "|")
		if len(cols) != 3 {
			panic(fmt.Sprintf("%d columns, want 3: %s", len(cols), line))
		}
		c := hostileCase{name: strings.TrimSpace(cols[0]), why: strings.TrimSpace(cols[2])}
		if name, only, ok := strings.Cut(c.name, "["); ok {
			c.name, c.only = strings.TrimSpace(name), strings.TrimSuffix(only, "]")
		}
		expr := strings.TrimSpace(cols[1])
		if inner, ok := strings.CutPrefix(expr, "cut{"); ok {
			whole := evalHostile(strings.TrimSuffix(inner, "}"), lets)[0]
			for n := range whole {
				cases = append(cases, hostileCase{name: fmt.Sprintf("%s at %d", c.name, n), why: c.why, only: c.only, payloads: [][]byte{whole[:n]}})
			}
			continue
		}
		c.payloads = evalHostile(expr, lets)
		cases = append(cases, c)
	}
	return cases, nil
}

// evalHostile returns the payloads that expr describes. It panics if expr is wrong.
func evalHostile(expr string, lets map[string]string) [][]byte {
	e := &hostileExpr{lets: lets}
	e.eval(expr, 0)
	return append(e.done, e.out)
}

type hostileExpr struct {
	lets map[string]string
	done [][]byte
	out  []byte
}

// eval appends what expr describes; at is the value of @ in it.
func (e *hostileExpr) eval(expr string, at int64) {
	for expr = strings.TrimSpace(expr); expr != ""; expr = strings.TrimSpace(expr) {
		switch c := expr[0]; {
		case c == ';':
			e.done, e.out = append(e.done, e.out), nil
			expr = expr[1:]
		case c == '\'' || c == '"':
			text, rest, _ := strings.Cut(expr[1:], string(c))
			if c == '"' {
				e.out = testkit.AppendGobUint(e.out, uint64(len(text)))
			}
			e.out, expr = append(e.out, text...), rest
		case c == '$':
			name, rest, _ := strings.Cut(expr[1:], " ")
			e.eval(e.lets[name], at)
			expr = rest
		default:
			end := strings.IndexAny(expr+" ", " (*{;'\"")
			if end < len(expr) && strings.IndexByte("(*{", expr[end]) >= 0 {
				expr = e.call(expr, at)
				continue
			}
			b, err := hex.DecodeString(expr[:end])
			if err != nil {
				panic(fmt.Sprintf("%q: %v", expr[:end], err))
			}
			e.out, expr = append(e.out, b...), expr[end:]
		}
	}
}

// call evaluates name(…), name{…} or number*{…} and returns what follows it.
func (e *hostileExpr) call(expr string, at int64) (rest string) {
	open := strings.IndexAny(expr, "({")
	name, end, level := expr[:open], open, 0
	for ; end < len(expr); end++ {
		switch expr[end] {
		case '(', '{':
			level++
		case ')', '}':
			level--
		}
		if level == 0 {
			break
		}
	}
	arg := expr[open+1 : end]
	if times, ok := strings.CutSuffix(name, "*"); ok {
		n, err := strconv.Atoi(times)
		if err != nil {
			panic(err)
		}
		if b, err := hex.DecodeString(strings.ReplaceAll(arg, " ", "")); err == nil {
			e.out = append(e.out, []byte(strings.Repeat(string(b), n))...)
			return expr[end+1:]
		}
		for i := range n {
			e.eval(arg, int64(i))
		}
		return expr[end+1:]
	}
	outer := e.out
	e.out = nil
	if name == "msg" || name == "def" {
		e.eval(arg, at)
	} else {
		e.define(name, strings.Fields(arg), at)
	}
	inner := e.out
	switch name {
	case "struct", "slice", "array", "map", "opaque", "msg":
		outer = testkit.AppendGobUint(outer, uint64(len(inner)))
	case "def": // of a definition, which has made itself a message
		width := 1
		if inner[0] > 0x7f {
			width += -int(int8(inner[0]))
		}
		inner = inner[width:]
	}
	e.out = append(outer, inner...)
	return expr[end+1:]
}

// define writes an integer, or the definition of a type.
func (e *hostileExpr) define(name string, args []string, at int64) {
	id := hostileSum(args[0], at)
	begin := func(kind int) {
		e.out = append(testkit.AppendGobInt(nil, int(-id)), byte(kind+1), 1, 0) // CommonType without name and id
	}
	types := func(args ...string) {
		for _, arg := range args {
			e.out = testkit.AppendGobInt(append(e.out, 1), int(hostileSum(arg, at)))
		}
		e.out = append(e.out, 0, 0)
	}
	switch name {
	case "u":
		n, err := strconv.ParseUint(args[0], 10, 64)
		if err != nil {
			panic(err)
		}
		e.out = testkit.AppendGobUint(nil, n)
	case "i":
		e.out = testkit.AppendGobInt(nil, int(id))
	case "array":
		begin(0)
		types(args[1:]...)
	case "slice":
		begin(1)
		types(args[1:]...)
	case "map":
		begin(3)
		types(args[1:]...)
	case "opaque":
		begin(4)
		types()
	case "struct":
		begin(2)
		e.fields(strings.Join(args[1:], " "), at)
	default:
		panic("no function " + name)
	}
}

// fields writes the fields of a struct and its end. N*{Name:id} is N of them.
func (e *hostileExpr) fields(expr string, at int64) {
	var fields []string
	for _, f := range strings.Fields(expr) {
		n := 1
		if times, inner, ok := strings.Cut(f, "*{"); ok {
			n, _ = strconv.Atoi(times)
			f = strings.TrimSuffix(inner, "}")
		}
		for range n {
			fields = append(fields, f)
		}
	}
	e.out = testkit.AppendGobUint(append(e.out, 1), uint64(len(fields)))
	for _, f := range fields {
		name, id, _ := strings.Cut(f, ":")
		e.out = append(append(append(e.out, 1), byte(len(name))), name...)
		e.out = append(testkit.AppendGobInt(append(e.out, 1), int(hostileSum(id, at))), 0)
	}
	e.out = append(e.out, 0, 0)
}

// hostileSum evaluates 65+@. What does not fit becomes what u or i can write.
func hostileSum(expr string, at int64) (sum int64) {
	for term := range strings.SplitSeq(expr, "+") {
		if term == "@" {
			sum += at
			continue
		}
		n, err := strconv.ParseInt(term, 10, 64)
		if err != nil && !strings.Contains(err.Error(), "range") {
			panic(err)
		}
		sum += n
	}
	return sum
}
