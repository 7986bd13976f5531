package pickle

import (
	"bytes"
	"unicode/utf8"

	"github.com/fb9bb4ed/qsocket/internal/excerpt"
)

// callable is one of the few functions of Python that a pickle may call.
type callable struct {
	module, name string
	call         func(m *machine, args []int32) bool
}

// callables are all that are known; the decoder imitates them. The modules are those that
// protocols 3 to 5 write, and __builtin__ is that of protocol 2.
var callables []callable

func init() { // the functions refer to it in errors
	for _, module := range []string{"builtins", "__builtin__"} {
		callables = append(callables,
			callable{module, "set", (*machine).setOf},
			callable{module, "frozenset", (*machine).setOf},
			callable{module, "bytes", (*machine).noBytes},
			callable{module, "bytearray", (*machine).byteArrayOf})
	}
	callables = append(callables,
		callable{"_codecs", "encode", (*machine).latinOf},
		callable{"datetime", "date", (*machine).dateOf},
		callable{"datetime", "time", (*machine).clockOf},
		callable{"datetime", "datetime", (*machine).dateTimeOf},
		callable{"datetime", "timedelta", (*machine).deltaOf},
		callable{"datetime", "timezone", (*machine).zoneOf},
		callable{"decimal", "Decimal", (*machine).decimalOf})
}

func (c callable) String() string { return c.module + "." + c.name }

// global reads two lines.
func (m *machine) global() bool {
	module, ok := m.line()
	if !ok {
		return false
	}
	name, ok := m.line()
	return ok && m.callable(module, name)
}

func (m *machine) line() ([]byte, bool) {
	n := bytes.IndexByte(m.b[m.i:], '\n')
	if n < 0 {
		return nil, m.failErr(short("%s at the end of the payload, want two lines after it", m.name()))
	}
	line := m.b[m.i : m.i+n]
	m.i += n + 1
	return line, true
}

// stackGlobal takes the names from the stack.
func (m *machine) stackGlobal() bool {
	name, ok := m.pop()
	if !ok {
		return false
	}
	module, ok := m.pop()
	if !ok {
		return false
	}
	_, mod := m.follow(module)
	_, nam := m.follow(name)
	if mod.kind != kindStr || nam.kind != kindStr {
		return m.fail("STACK_GLOBAL of %v and %v, want two strs", mod.kind, nam.kind)
	}
	return m.callable(m.raw(mod), m.raw(nam))
}

// raw returns the bytes of the payload that n consists of.
func (m *machine) raw(n *node) []byte { return m.b[n.offset() : n.offset()+int(n.n)] }

func (m *machine) callable(module, name []byte) bool {
	for i := range callables {
		if c := &callables[i]; string(module) == c.module && string(name) == c.name {
			return m.push(kindGlobal, uint64(i), 0)
		}
	}
	return m.fail("refused: %s.%s: not plain data", excerpt.Text(string(module), maxName), excerpt.Text(string(name), maxName))
}

const maxName = 80 // of what a pickle calls, in an error; bytes

// failGlobal reports one that is not called.
func (m *machine) failGlobal(n *node) bool {
	if n.kind == kindRef {
		n = m.at(int32(n.x))
	}
	return m.fail("refused: %s itself, which is not plain data: only what it returns is", callables[n.x])
}

// reduce calls a callable with a tuple of arguments.
func (m *machine) reduce() bool {
	i, ok := m.pop()
	if !ok {
		return false
	}
	f, ok := m.pop()
	if !ok {
		return false
	}
	_, args := m.follow(i)
	_, fn := m.follow(f)
	if fn.kind != kindGlobal {
		return m.fail("refused: REDUCE calls %v", fn.kind)
	}
	c := &callables[fn.x]
	const most = 3
	if args.kind != kindTuple || args.n > most {
		return m.fail("%s called with %v of %d, want a tuple of at most %d arguments", c, args.kind, args.n, most)
	}
	var list [most]int32
	next, _ := args.ends()
	for k := range args.n {
		list[k], _ = m.follow(next)
		next = m.at(next).next
	}
	if c.call(m, list[:args.n]) {
		return true
	}
	return m.fail("%s called with %s", c, m.describe(list[:args.n])) // unless it has said what is wrong
}

// describe names the types of arguments.
func (m *machine) describe(args []int32) string {
	if len(args) == 0 {
		return "no arguments"
	}
	var b []byte
	for k, i := range args {
		if k > 0 {
			b = append(b, ", "...)
		}
		b = append(b, m.at(i).kind.String()...)
	}
	return string(b)
}

// are reports whether args are of those kinds.
func (m *machine) are(args []int32, kinds ...kind) bool {
	if len(args) != len(kinds) {
		return false
	}
	for k, i := range args {
		if m.at(i).kind != kinds[k] {
			return false
		}
	}
	return true
}

// setOf makes a set of a list, which is how protocols 2 and 3 send it. They have the items in common.
func (m *machine) setOf(args []int32) bool {
	if !m.are(args, kindList) {
		return false
	}
	list := *m.at(args[0])
	if !m.push(kindSet, list.x, list.n) {
		return false
	}
	m.at(m.top).depth = list.depth
	return true
}

// noBytes is how protocol 2 sends an empty bytes.
func (m *machine) noBytes(args []int32) bool {
	return len(args) == 0 && m.push(kindBytes, 0, 0)
}

func (m *machine) byteArrayOf(args []int32) bool {
	switch {
	case len(args) == 0:
		return m.noBytes(args)
	case m.are(args, kindBytes) || m.are(args, kindLatin):
		b := m.at(args[0])
		return m.push(b.kind, b.x, b.n)
	}
	return m.latinOf(args) // before Python 3.8, protocol 2 does it so
}

// latinOf is how protocol 2 sends bytes: as text of which each character is a byte.
func (m *machine) latinOf(args []int32) bool {
	if !m.are(args, kindStr, kindStr) {
		return false
	}
	text := m.at(args[0])
	if !m.spend(int(text.n)) { // one text may be the argument of many calls
		return false
	}
	if e := m.raw(m.at(args[1])); string(e) != "latin1" && string(e) != "latin-1" {
		return m.fail("bytes as text in the encoding %s, want latin1", excerpt.Quote(string(e), maxName))
	}
	for rest := m.raw(text); len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		if r > 0xff {
			return m.fail("bytes as text with the character %q, want latin1", r)
		}
		rest = rest[n:]
	}
	return m.push(kindLatin, uint64(text.offset()), text.n)
}

// appendBytes appends the content of n, which is kindBytes or kindLatin.
func (m *machine) appendBytes(dst []byte, n *node) []byte {
	if n.kind == kindBytes {
		return append(dst, m.raw(n)...)
	}
	for rest := m.raw(n); len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		dst = append(dst, byte(r))
		rest = rest[size:]
	}
	return dst
}

// sizeOf is how many bytes appendBytes appends.
func (m *machine) sizeOf(n *node) int {
	if n.kind == kindBytes {
		return int(n.n)
	}
	return utf8.RuneCount(m.raw(n))
}

func (m *machine) decimalOf(args []int32) bool {
	if !m.are(args, kindStr) {
		return false
	}
	s := m.at(args[0])
	if !m.spend(int(s.n)) { // as above
		return false
	}
	if !isDecimal(m.raw(s)) {
		return m.fail("decimal.Decimal of %s, which is no number", excerpt.Quote(string(m.raw(s)), maxName))
	}
	return m.push(kindDecimal, uint64(s.offset()), s.n)
}
