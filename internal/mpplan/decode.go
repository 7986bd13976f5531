package mpplan

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"unsafe"

	"github.com/fb9bb4ed/qsocket/internal/intern"
	"github.com/fb9bb4ed/qsocket/internal/mpscan"
	"github.com/vmihailenco/msgpack/v5"
)

// Decoder has what decoding needs besides a plan. It is for one goroutine, and its
// Options do not change once it has decoded something.
//
// Its methods take the offset at which a value begins and return the one at
// which it ends, or failed.
type Decoder struct {
	Options

	trail
	b      []byte
	depth  int // arrays and maps that are open
	budget int // bytes that may still be allocated

	names intern.Table // has short strings that came before

	// Other short strings of a message share memory.
	room     []byte // what is left of it
	shared   int    // bytes of short strings so far
	expected int    // the same of the message before

	boxes boxes // for what is in interfaces

	v5   *msgpack.Decoder // nil: to be made
	r    mpscan.Reader    // of v5
	scan mpscan.Scanner
}

// failed is what methods return after an error.
const failed = -1

func (d *Decoder) decode(payload []byte, n *node, p unsafe.Pointer) error {
	d.b, d.depth, d.budget = payload, 0, d.expansion(len(payload))
	if d.err != nil {
		d.reset() // the error of a payload whose decoding panicked
	}
	end := failed
	if len(payload) == 0 {
		d.failErr(shortError("empty payload, want one value"))
	} else {
		end = d.value(0, n, p)
	}
	if end >= 0 && end != len(payload) {
		d.fail("value ends at byte %d of %d: %d trailing bytes, want none", end, len(payload), len(payload)-end)
	}
	d.b = nil
	d.expected, d.shared, d.room = d.shared-len(d.room), 0, nil
	if d.boxes.numbers|d.boxes.strings != 0 {
		d.boxes = boxes{}
	}
	if d.err == nil {
		return nil
	}
	err := d.wrap(n)
	d.reset()
	return err
}

// expansion is how many bytes may be allocated for a payload of n.
func (d *Decoder) expansion(n int) int {
	factor := d.Expansion
	if factor == 0 {
		factor = DefaultExpansion
	}
	if n > 0 && factor > math.MaxInt/2/n {
		return math.MaxInt / 2
	}
	return FreeExpansion - intern.Overhead + factor*n
}

// value decodes the value at i to p.
func (d *Decoder) value(i int, n *node, p unsafe.Pointer) int {
	switch n.dec {
	case opBool:
		return d.bool(i, (*bool)(p))
	case opInt8:
		v, i := d.signed(i, -1<<7, 1<<7-1, n)
		*(*int8)(p) = int8(v)
		return i
	case opInt16:
		v, i := d.signed(i, -1<<15, 1<<15-1, n)
		*(*int16)(p) = int16(v)
		return i
	case opInt32:
		v, i := d.signed(i, -1<<31, 1<<31-1, n)
		*(*int32)(p) = int32(v)
		return i
	case opInt64:
		v, i := d.signed(i, -1<<63, 1<<63-1, n)
		*(*int64)(p) = v
		return i
	case opUint8:
		v, i := d.unsigned(i, 1<<8-1, n)
		*(*uint8)(p) = uint8(v)
		return i
	case opUint16:
		v, i := d.unsigned(i, 1<<16-1, n)
		*(*uint16)(p) = uint16(v)
		return i
	case opUint32:
		v, i := d.unsigned(i, 1<<32-1, n)
		*(*uint32)(p) = uint32(v)
		return i
	case opUint64:
		v, i := d.unsigned(i, 1<<64-1, n)
		*(*uint64)(p) = v
		return i
	case opFloat32:
		return d.float32(i, (*float32)(p))
	case opFloat64:
		return d.float64(i, (*float64)(p))
	case opString:
		return d.string(i, (*string)(p))
	case opBytes:
		return d.bytes(i, (*[]byte)(p))
	case opByteArray:
		return d.byteArray(i, n, unsafe.Slice((*byte)(p), n.len))
	case opTime:
		return d.time(i, p)
	case opPointer:
		return d.pointer(i, n, p)
	case opSlice:
		return d.slice(i, n, p)
	case opArray:
		return d.array(i, n, p)
	case opStruct:
		return d.structure(i, n, p)
	case opMap:
		return d.mapping(i, n, p)
	case opAny:
		return d.any(i, (*any)(p))
	case opInterface:
		return d.assign(i, n, p)
	case opUnsupported:
		if n.unfit != "" {
			d.fail("%s", n.unfit)
		} else {
			d.fail("unsupported %v", n.typ)
		}
		return failed
	default:
		return d.hook(i, n, p)
	}
}

func (d *Decoder) pointer(i int, n *node, p unsafe.Pointer) int {
	if i < len(d.b) && d.b[i] == nilByte {
		*(*unsafe.Pointer)(p) = nil
		return i + 1
	}
	if !d.spend(mpscan.BytesCost(int(n.elem.size))) {
		return failed
	}
	v := reflect.New(n.elem.typ).UnsafePointer()
	*(*unsafe.Pointer)(p) = v
	return d.value(i, n.elem, v)
}

// spend takes n bytes from the budget, before they are allocated.
func (d *Decoder) spend(n int) bool {
	if d.budget -= n; d.budget >= 0 && n >= 0 {
		return true
	}
	return d.overspent()
}

func (d *Decoder) overspent() bool {
	d.fail("%w: a payload of %d bytes", ErrExpansion, len(d.b))
	return false
}

// ErrExpansion: a payload is too short for what it becomes.
var ErrExpansion = fmt.Errorf("decoding takes more memory than MaxExpansion allows")

// open begins an array or map whose count elements or entries take at least each
// bytes, and begin at i.
func (d *Decoder) open(i, count, each int, what string) bool {
	if uint64(count)*uint64(each) <= uint64(len(d.b)-i) && d.depth < MaxDepth {
		d.depth++
		return true
	}
	return d.closed(i, count, each, what)
}

func (d *Decoder) closed(i, count, each int, what string) bool {
	if uint64(count)*uint64(each) > uint64(len(d.b)-i) {
		d.failErr(short("%s of %d, but %d bytes are left", what, count, len(d.b)-i))
		return false
	}
	d.fail("%s at byte %d is nested deeper than %d levels", what, i, MaxDepth)
	return false
}

// skip checks the value at i, and returns its end.
func (d *Decoder) skip(i int) int {
	d.scan.AllowInvalidUTF8 = d.InvalidUTF8
	end, err := d.scan.Skip(d.b, i, d.depth)
	if err != nil {
		d.failErr(err)
		return failed
	}
	return end
}

// end reports that the payload ends at i, where something is expected.
func (d *Decoder) end(i int) int {
	d.failErr(short("payload ends at byte %d, where another value is expected", i))
	return failed
}

// unexpected reports what begins at i.
func (d *Decoder) unexpected(i int, want string) int {
	if i >= len(d.b) {
		return d.end(i)
	}
	d.fail("%s where %s is expected", mpscan.Format(d.b[i]), want)
	return failed
}

// count32 reads a count of 32 bits. Larger ones than an int has are not there.
func (d *Decoder) count32(i int) (count, end int) {
	if len(d.b)-i < 5 {
		return 0, d.lacking(i, 4)
	}
	n := binary.BigEndian.Uint32(d.b[i+1:])
	if uint64(n) > uint64(len(d.b)) {
		d.failErr(short("%s of %d, but %d bytes are left", mpscan.Format(d.b[i]), n, len(d.b)-i-5))
		return 0, failed
	}
	return int(n), i + 5
}

// lacking reports that the value at i needs more bytes than there are.
func (d *Decoder) lacking(i, need int) int {
	d.failErr(short("%s needs %d bytes, but %d are left", mpscan.Format(d.b[i]), need, len(d.b)-i-1))
	return failed
}

const nilByte = 0xc0
