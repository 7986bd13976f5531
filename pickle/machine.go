package pickle

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"sync"
	"unicode/utf8"

	"github.com/fb9bb4ed/qsocket/internal/mpscan"
)

// maxDepth is how many lists, tuples, dicts and sets may be nested, both ways.
const maxDepth = mpscan.MaxDepth

// machine runs a pickle, and makes nodes of it. It knows nothing of Go's types.
//
// A value does not change any more once it is part of another one, or has been fetched from
// the memo. CPython writes it so but for values that contain themselves, which are refused
// by it: what refers to what is known to have no cycle, and how deep it is.
type machine struct {
	b  []byte
	i  int  // of the next byte
	op byte // the opcode that runs

	chunks []*chunk
	count  int32 // nodes; number 0 is none
	top    int32 // of the stack, whose nodes are linked from the top down
	marks  []int32

	memo     []int32
	memoized int // how many places in it are taken
	frameEnd int // 0 outside of frames
	budget   int // bytes that may still be allocated
	err      error

	strings []string // those of texts that were fetched from the memo
}

// machines are shared by all connections, so that idle ones have none.
var machines = sync.Pool{New: func() any { return new(machine) }}

// run runs payload and returns the node of its value.
func (m *machine) run(payload []byte, budget int) (int32, bool) {
	m.b, m.budget, m.count = payload, budget, 1
	if len(m.chunks) == 0 {
		m.chunks = append(m.chunks, new(chunk))
	}
	if uint64(len(payload)) > math.MaxInt32 {
		return 0, m.fail("payload of %d bytes, want at most %d", len(payload), math.MaxInt32)
	}
	for m.i < len(m.b) {
		m.op = m.b[m.i]
		m.i++
		if m.op == opStop {
			return m.stop()
		}
		if step := steps[m.op]; step == nil {
			return 0, m.fail("refused: opcode %s at byte %d: not plain data", m.name(), m.i-1)
		} else if !step(m) || m.frameEnd > 0 && !m.framed() {
			return 0, false
		}
	}
	if len(m.b) == 0 {
		return 0, m.failErr(shortError("empty payload, want one pickle"))
	}
	return 0, m.failErr(short("payload ends at byte %d without STOP", m.i))
}

// stop returns the one value on the stack.
func (m *machine) stop() (int32, bool) {
	switch {
	case m.i != len(m.b):
		return 0, m.fail("STOP at byte %d of %d: %d trailing bytes, want none", m.i-1, len(m.b), len(m.b)-m.i)
	case m.frameEnd > 0 && m.frameEnd != m.i:
		return 0, m.fail("frame ends at byte %d, STOP at %d", m.frameEnd, m.i-1)
	case len(m.marks) > 0:
		return 0, m.fail("STOP after a MARK that nothing has used")
	}
	i, ok := m.pop()
	if !ok {
		return 0, false
	}
	if m.top != 0 {
		return 0, m.fail("STOP leaves more than one value on the stack, want one")
	}
	if m.at(i).depth > maxDepth {
		return 0, m.tooDeep()
	}
	return i, m.adopt(m.at(i))
}

// reset forgets the pickle, and lets go of what a large one has needed.
func (m *machine) reset() {
	const most = 16 // chunks, and 1,024 places in marks and memo: 100 KiB
	clear(m.strings)
	*m = machine{chunks: m.chunks, marks: m.marks[:0], memo: m.memo[:0], strings: m.strings[:0]}
	if len(m.chunks) > most || cap(m.marks) > 1024 || cap(m.memo) > 1024 || cap(m.strings) > 1024 {
		*m = machine{}
	}
}

// name is that of the opcode that runs.
func (m *machine) name() string {
	if name := names[m.op]; name != "" {
		return name
	}
	return fmt.Sprintf("%#02x", m.op)
}

// spend takes n bytes from the budget, before they are allocated.
func (m *machine) spend(n int) bool {
	if m.budget -= n; m.budget >= 0 && n >= 0 {
		return true
	}
	return m.fail("%w: a payload of %d bytes", errExpansion, len(m.b))
}

var errExpansion = fmt.Errorf("decoding takes more memory than MaxExpansion allows")

// fail records an error and returns false.
func (m *machine) fail(format string, args ...any) bool {
	return m.failErr(fmt.Errorf(format, args...))
}

func (m *machine) failErr(err error) bool {
	if m.err == nil {
		m.err = err
	}
	return false
}

// shortError reports a payload that ends before something that it announces.
type shortError string

func (e shortError) Error() string { return string(e) }
func (e shortError) Unwrap() error { return io.ErrUnexpectedEOF }

func short(format string, args ...any) error { return shortError(fmt.Sprintf(format, args...)) }

// argument returns the n bytes after the opcode, or after what has been read of it.
func (m *machine) argument(n uint64) ([]byte, bool) {
	if left := uint64(len(m.b) - m.i); n > left {
		return nil, m.failErr(short("%s needs %d bytes, but %d are left", m.name(), n, left))
	}
	b := m.b[m.i : m.i+int(n)]
	m.i += int(n)
	return b, true
}

// number reads an unsigned integer of size bytes, little-endian.
func (m *machine) number(size int) (v uint64, ok bool) {
	b, ok := m.argument(uint64(size))
	if !ok {
		return 0, false
	}
	switch size {
	case 1:
		return uint64(b[0]), true
	case 2:
		return uint64(binary.LittleEndian.Uint16(b)), true
	case 4:
		return uint64(binary.LittleEndian.Uint32(b)), true
	default:
		return binary.LittleEndian.Uint64(b), true
	}
}

func (m *machine) int(size int, signed bool) bool {
	v, ok := m.number(size)
	if signed {
		v = uint64(int64(int32(v)))
	}
	return ok && m.push(kindInt, v, 0)
}

// long reads an integer of any length, whose length comes first.
func (m *machine) long(size int) bool {
	n, ok := m.number(size)
	if !ok {
		return false
	}
	if n > math.MaxInt32 {
		return m.fail("%s with a length of %d, want at least 0", m.name(), int32(n))
	}
	b, ok := m.argument(n)
	if !ok {
		return false
	}
	at := uint64(m.i - len(b))
	b = shortest(b)
	if len(b) > 8 {
		return m.push(kindBig, at, int32(len(b)))
	}
	var v uint64
	for k := range b {
		v |= uint64(b[k]) << (8 * k)
	}
	if len(b) > 0 && len(b) < 8 && b[len(b)-1] >= 0x80 {
		v |= math.MaxUint64 << (8 * len(b))
	}
	return m.push(kindInt, v, 0)
}

// shortest cuts off the bytes of an integer that say nothing but its sign once more.
func shortest(b []byte) []byte {
	for len(b) > 1 {
		last, sign := b[len(b)-1], b[len(b)-2] >= 0x80
		if last == 0 && !sign || last == 0xff && sign {
			b = b[:len(b)-1]
			continue
		}
		break
	}
	return b
}

func (m *machine) float() bool {
	b, ok := m.argument(8)
	return ok && m.push(kindFloat, binary.BigEndian.Uint64(b), 0)
}

// counted reads bytes whose count comes first, in size bytes.
func (m *machine) counted(size int) (at uint64, b []byte, ok bool) {
	n, ok := m.number(size)
	if !ok {
		return 0, nil, false
	}
	at = uint64(m.i)
	b, ok = m.argument(n)
	return at, b, ok
}

func (m *machine) text(size int) bool {
	at, b, ok := m.counted(size)
	if !ok {
		return false
	}
	if !utf8.Valid(b) {
		return m.failErr(notUTF8(string(b)))
	}
	return m.push(kindStr, at, int32(len(b)))
}

func (m *machine) bytes(size int) bool {
	at, b, ok := m.counted(size)
	return ok && m.push(kindBytes, at, int32(len(b)))
}

func (m *machine) proto() bool {
	b, ok := m.argument(1)
	switch {
	case !ok:
		return false
	case m.i != 2:
		return m.fail("PROTO at byte %d, want it at the beginning only", m.i-2)
	case b[0] > 5:
		return m.fail("pickle protocol %d, want at most 5", b[0])
	}
	return true
}

func (m *machine) frame() bool {
	n, ok := m.number(8)
	switch left := uint64(len(m.b) - m.i); {
	case !ok:
		return false
	case m.frameEnd > 0:
		return m.fail("FRAME at byte %d, in a frame that ends at %d", m.i-9, m.frameEnd)
	case n > left:
		return m.failErr(short("FRAME of %d bytes, but %d are left", n, left))
	case n == 0:
		return m.fail("FRAME of 0 bytes, want at least 1")
	}
	m.frameEnd = m.i + int(n)
	return true
}

// framed reports whether what runs stays in its frame.
func (m *machine) framed() bool {
	if m.i > m.frameEnd {
		return m.fail("%s goes beyond the end of its frame, at byte %d", m.name(), m.frameEnd)
	}
	if m.i == m.frameEnd {
		m.frameEnd = 0
	}
	return true
}

// notUTF8 finds the byte that makes s invalid.
func notUTF8(s string) error {
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n <= 1 {
			return fmt.Errorf("str of %d bytes is not UTF-8: byte %#02x at offset %d", len(s), s[i], i)
		}
		i += n
	}
	return fmt.Errorf("str is not UTF-8")
}
