package mpplan

import (
	"math"
	"reflect"
	"slices"
	"time"
	"unicode/utf8"
	"unsafe"

	"github.com/fb9bb4ed/qsocket/internal/mpscan"
	"github.com/fb9bb4ed/qsocket/internal/oversize"
	"github.com/vmihailenco/msgpack/v5"
)

// Encoder has what encoding needs besides a plan. It is for one goroutine.
type Encoder struct {
	Options

	// Limit is how long the encoding of a value may be, bytes; 0: any length. One that is
	// longer is given up soon: what several parts of a value have in common is encoded
	// for each of them, so a small value can be without an end.
	Limit int

	// Tally counts in Held what the receiver allocates for everything that has a size of its
	// own, not only for what is in interfaces.
	Tally bool

	trail
	depth int // arrays and maps that are open
	hops  int // interfaces that are open
	start int // of the value in its slice
	stop  int // where its encoding has become too long
	held  int // see Held
	looks int // how much may still be looked at to see whether a field is empty

	v5   *msgpack.Encoder // nil: to be made
	w    writer           // of v5
	scan mpscan.Scanner

	types typeCache // of what interfaces held
}

func (e *Encoder) append(dst []byte, n *node, p unsafe.Pointer) ([]byte, error) {
	e.depth, e.hops, e.start, e.held = 0, 0, len(dst), 0
	e.stop = math.MaxInt
	if e.Limit > 0 && e.Limit < math.MaxInt-len(dst) {
		e.stop = len(dst) + e.Limit
	}
	if e.err != nil || e.w.b != nil { // of a value whose encoding panicked
		e.reset()
		e.w.b = nil
	}
	var b []byte
	if n.enc == opStruct {
		b = e.structure(dst, n, p)
	} else {
		b = e.value(dst, n, p)
	}
	if e.err != nil {
		err := e.wrap(n)
		if over, ok := e.err.(*oversize.Error); ok {
			err = over // which is not the fault of the part where it was noticed
		}
		e.reset()
		return dst, err
	}
	return b, nil
}

// tooLong gives up a value of which more has been appended than can be sent.
func (e *Encoder) tooLong(b []byte) { e.failErr(&oversize.Error{Least: len(b) - e.start}) }

// value appends the value at p. After an error, what it returns does not matter.
func (e *Encoder) value(b []byte, n *node, p unsafe.Pointer) []byte {
	switch n.enc {
	case opBool:
		return appendBool(b, *(*bool)(p))
	case opInt8:
		return appendInt(b, int64(*(*int8)(p)))
	case opInt16:
		return appendInt(b, int64(*(*int16)(p)))
	case opInt32:
		return appendInt(b, int64(*(*int32)(p)))
	case opInt64:
		return appendInt(b, *(*int64)(p))
	case opUint8:
		return appendUint(b, uint64(*(*uint8)(p)))
	case opUint16:
		return appendUint(b, uint64(*(*uint16)(p)))
	case opUint32:
		return appendUint(b, uint64(*(*uint32)(p)))
	case opUint64:
		return appendUint(b, *(*uint64)(p))
	case opFloat32:
		return appendFloat32(b, *(*float32)(p))
	case opFloat64:
		return appendUint64(b, 0xcb, *(*uint64)(p))
	case opString:
		return e.string(b, *(*string)(p))
	case opBytes:
		e.limit(len(*(*[]byte)(p)))
		return appendBytes(b, *(*[]byte)(p))
	case opByteArray:
		return append(appendLen(b, 0xc4, n.len), unsafe.Slice((*byte)(p), n.len)...)
	case opTime:
		return appendTime(b, *(*time.Time)(p))
	case opPointer:
		if p = *(*unsafe.Pointer)(p); p == nil {
			return append(b, nilByte)
		}
		if e.Tally {
			e.held += mpscan.BytesCost(int(n.elem.size))
		}
		return e.value(b, n.elem, p)
	case opSlice:
		s := (*sliceHeader)(p)
		if s.data == nil {
			return append(b, nilByte)
		}
		if n.elem.enc == opString {
			return e.strings(b, *(*[]string)(p))
		}
		return e.list(b, n, s.data, s.len)
	case opArray:
		return e.list(b, n, p, n.len)
	case opStruct:
		return e.structure(b, n, p)
	case opMap:
		return e.mapping(b, n, p)
	case opAny:
		return e.any(b, (*any)(p))
	case opInterface:
		v := reflect.NewAt(n.typ, p).Elem()
		if v.IsNil() {
			return append(b, nilByte)
		}
		start, held := len(b), v.Elem().Interface()
		b = e.any(b, &held)
		if e.err == nil && e.hops == 0 && !isExtension(b[start]) && b[start] != nilByte {
			e.fail("nothing can be received for a %v in a %v: only a time.Time, and what is registered as an extension", v.Elem().Type(), n.typ)
		}
		return b
	case opUnsupported:
		if n.unfit != "" {
			e.fail("%s", n.unfit)
		} else {
			e.fail("unsupported %v", n.typ)
		}
		return b
	default:
		return e.hook(b, n, p)
	}
}

// isExtension reports whether c begins an extension.
func isExtension(c byte) bool { return c >= 0xc7 && c <= 0xc9 || c >= 0xd4 && c <= 0xd8 }

// string appends s, which is most often short and ASCII.
func (e *Encoder) string(b []byte, s string) []byte {
	if cap(b)-len(b) < room {
		b = grow(b)
	}
	if n := len(b); len(s) < 32 && copyASCII(b[n+1:n+32], s) {
		b = b[:n+1+len(s)]
		b[n] = 0xa0 | byte(len(s))
		return b
	}
	return e.text(b, s)
}

// text is string for what is not. If it is short, there is a copy of it already behind the next
// byte of b.
func (e *Encoder) text(b []byte, s string) []byte {
	text := unsafe.Slice(unsafe.StringData(s), len(s))
	switch n := len(b); {
	case len(s) < 32 && (validText(text) || e.InvalidUTF8):
		b = b[:n+1+len(s)]
		b[n] = 0xa0 | byte(len(s))
		return b
	case len(s) < piece && (e.InvalidUTF8 || len(s) >= 32 && validUTF8(text)):
		return appendString(b, s)
	case len(s) < piece:
		e.failErr(notUTF8(s))
		return b
	}
	e.limit(len(s))
	// A long one is checked in pieces, which are in the cache when they are copied.
	b = slices.Grow(appendLen(b, 0xd9, len(s)), len(s))
	for len(text) > 0 {
		n := min(len(text), piece)
		for n < len(text) && n > piece-utf8.UTFMax && !utf8.RuneStart(text[n]) {
			n--
		}
		if !validUTF8(text[:n]) && !e.InvalidUTF8 {
			e.failErr(notUTF8(s))
			return b
		}
		b = append(b, text[:n]...)
		text = text[n:]
	}
	return b
}

// piece is how much of a long string is looked at before it is copied, in bytes.
const piece = 4 << 10

// limit refuses lengths and counts that have no format.
func (e *Encoder) limit(n int) {
	if uint64(n) > math.MaxUint32 {
		e.fail("length of %d", n)
	}
}

// open begins an array or map. The peer accepts no more levels of them, and a
// value that contains itself would go on for ever.
func (e *Encoder) open(n *node) bool {
	if e.depth == MaxDepth {
		e.tooDeep(n.typ)
		return false
	}
	e.depth++
	return true
}

func (e *Encoder) tooDeep(t reflect.Type) {
	e.fail("%v is nested deeper than %d levels", t, MaxDepth)
}

// heldSlice and heldMap are about what a receiver allocates for a slice or a map in an
// interface, with the values in it but for the bytes of strings.
func heldSlice(count int) int {
	return mpscan.SliceCost(count, stringSize+sliceSize+numberSize) + sliceSize
}

func heldMap(count int) int {
	return mpscan.MapCost(count, 2*stringSize) + count*(sliceSize+2*numberSize)
}

// Held is about what the receiver of the value that was encoded last allocates for what is
// in interfaces, or more, but for the bytes of strings. With Tally, it is that of the whole value.
func (e *Encoder) Held() int { return e.held }
