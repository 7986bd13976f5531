package mpplan

import (
	"encoding/binary"
	"reflect"
	"slices"
	"unsafe"

	"github.com/fb9bb4ed/qsocket/internal/mpscan"
)

// list appends the count elements at p.
func (e *Encoder) list(b []byte, n *node, p unsafe.Pointer, count int) []byte {
	if !e.open(n) {
		return b
	}
	e.limit(count)
	b = appendArray(b, count)
	elem := n.elem
	if e.hops > 0 {
		e.held += heldSlice(count)
	} else if e.Tally && n.enc == opSlice {
		e.held += mpscan.SliceCost(count, int(elem.size))
	}
	if elem.enc >= opBool && elem.enc <= opFloat64 {
		if b = e.numbers(b, elem, p, count); e.err == nil {
			e.depth--
		}
		return b
	}
	for i := range count {
		at := unsafe.Add(p, uintptr(i)*elem.size)
		if elem.enc == opStruct {
			b = e.structure(b, elem, at) // which looks at the length itself
		} else if b = e.value(b, elem, at); len(b) > e.stop {
			e.tooLong(b)
		}
		if e.err != nil {
			e.inElement(i)
			return b
		}
	}
	e.depth--
	return b
}

// numbers appends count numbers or booleans at p, some at a time: room for them is made at once.
func (e *Encoder) numbers(b []byte, elem *node, p unsafe.Pointer, count int) []byte {
	const (
		some = 256
		most = 9 // bytes of a number
	)
	for count > 0 && len(b) <= e.stop {
		n := min(count, some)
		b = slices.Grow(b, most*n)
		b = someNumbers(b, elem, p, n)
		p, count = unsafe.Add(p, uintptr(n-1)*elem.size), count-n
		if count > 0 { // not beyond the end
			p = unsafe.Add(p, elem.size)
		}
	}
	if len(b) > e.stop {
		e.tooLong(b)
	}
	return b
}

func someNumbers(b []byte, elem *node, p unsafe.Pointer, n int) []byte {
	switch elem.enc {
	case opBool:
		for _, v := range unsafe.Slice((*uint8)(p), n) {
			b = append(b, 0xc2|v) // false or true
		}
		return b
	case opInt8:
		return appendInts(b, unsafe.Slice((*int8)(p), n))
	case opInt16:
		return appendInts(b, unsafe.Slice((*int16)(p), n))
	case opInt32:
		return appendInts(b, unsafe.Slice((*int32)(p), n))
	case opInt64:
		return appendInts(b, unsafe.Slice((*int64)(p), n))
	case opUint8:
		return appendUints(b, unsafe.Slice((*uint8)(p), n))
	case opUint16:
		return appendUints(b, unsafe.Slice((*uint16)(p), n))
	case opUint32:
		return appendUints(b, unsafe.Slice((*uint32)(p), n))
	case opUint64:
		return appendUints(b, unsafe.Slice((*uint64)(p), n))
	case opFloat32:
		for _, v := range unsafe.Slice((*float32)(p), n) {
			b = appendFloat32(b, v)
		}
		return b
	}
	at := len(b)
	b = b[:at+9*n]
	for _, v := range unsafe.Slice((*uint64)(p), n) {
		b[at] = 0xcb
		binary.BigEndian.PutUint64(b[at+1:at+9], v)
		at += 9
	}
	return b
}

func appendInts[T int8 | int16 | int32 | int64](b []byte, s []T) []byte {
	for _, v := range s {
		if v >= -32 && v <= 127 { // most are small
			b = append(b, byte(v))
		} else {
			b = appendInt(b, int64(v))
		}
	}
	return b
}

func appendUints[T uint8 | uint16 | uint32 | uint64](b []byte, s []T) []byte {
	for _, v := range s {
		if v <= 127 {
			b = append(b, byte(v))
		} else {
			b = appendUint(b, uint64(v))
		}
	}
	return b
}

// strings appends a slice of strings.
func (e *Encoder) strings(b []byte, ss []string) []byte {
	if ss == nil {
		return append(b, nilByte)
	}
	if e.depth == MaxDepth {
		e.tooDeep(reflect.TypeFor[[]string]())
		return b
	}
	e.depth++
	e.limit(len(ss))
	b = appendArray(b, len(ss))
	if e.hops > 0 {
		e.held += heldSlice(len(ss))
	} else if e.Tally {
		e.held += mpscan.SliceCost(len(ss), stringSize)
	}
	for i, s := range ss {
		if cap(b)-len(b) < room {
			if len(b) > e.stop {
				e.tooLong(b)
				return b
			}
			b = grow(b)
		}
		if n := len(b); len(s) < 32 && copyASCII(b[n+1:n+32], s) {
			b = b[:n+1+len(s)]
			b[n] = 0xa0 | byte(len(s))
			continue
		}
		if b = e.text(b, s); len(b) > e.stop {
			e.tooLong(b)
		}
		if e.err != nil {
			e.inElement(i)
			return b
		}
	}
	e.depth--
	return b
}
