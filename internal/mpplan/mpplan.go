// Package mpplan encodes and decodes MessagePack by plans that are compiled
// from types, once per process.
//
// What it writes and accepts is what github.com/vmihailenco/msgpack/v5 writes
// (with compact integers, and all maps sorted) and accepts, but for payloads
// that are unsafe or would arrive changed. Values whose encoding the package
// does not know, because they have EncodeMsgpack or DecodeMsgpack or are
// registered extensions, are left to v5, one by one, behind package mpscan.
// Functions that were installed with msgpack.Register are not seen where v5
// offers no way to tell them from its own.
//
// # Memory
//
// A plan reads and writes Go values through unsafe.Pointer, which only this package,
// gobscan and deep may do. Their rules:
//
//   - A pointer is made from another by unsafe.Add with the offset of a field or
//     an element of the same allocation, never kept as a uintptr, and never moved
//     past the end. As long as it is there, the collector keeps the allocation.
//   - It is read and written as a type with the memory layout of the real one: a
//     named type as its underlying type, a slice as sliceHeader, an interface without
//     methods as interfaceHeader. So stores of pointers are seen by the collector.
//   - Memory for values comes from make, reflect.New and reflect.Value.Grow with
//     the real type, or one that has its pointers at the same places, and for the keys
//     of maps the same hash: see typedMap.
//   - What an interface holds is only read, in place, and never by a method that could
//     write to it: that gets a copy.
//   - Nothing that is decoded refers to the payload: strings and bytes are copies.
//     Slices of the payload are never passed to code that could keep them.
//   - The value to encode, or to decode into, is on the heap: methods of the
//     program are called with pointers into it and may keep them.
package mpplan

import (
	"reflect"
	"unsafe"

	"github.com/fb9bb4ed/qsocket/internal/mpscan"
)

// MaxDepth is how many arrays and maps may be nested.
const MaxDepth = mpscan.MaxDepth

// Options are what the two ends can choose. The zero value is the default.
type Options struct {
	Arrays      bool // encode structs as arrays
	Strict      bool // refuse unknown fields of structs
	InvalidUTF8 bool // strings may be any bytes
	Expansion   int  // decoding may allocate this many bytes for each of the payload; 0 means DefaultExpansion
}

// DefaultExpansion is far above what the types of most programs need. Where
// they have large elements with short encodings, it is the bound.
const DefaultExpansion = 64

// FreeExpansion is what decoding may allocate in any case, in bytes.
const FreeExpansion = 64 << 10

// Spent is what was allocated for the payload that was decoded last, which had n bytes.
func (d *Decoder) Spent(n int) int { return d.expansion(n) - d.budget }

// Bound is what may be allocated for a payload of n bytes: factor × n + free bytes.
func (d *Decoder) Bound() (factor, free int) {
	factor = d.Expansion
	if factor == 0 {
		factor = DefaultExpansion
	}
	return factor, FreeExpansion
}

// Plan says how values of type T are encoded and decoded.
type Plan[T any] struct {
	root *node
}

// For returns the plan for T. Extensions have to be registered in v5 before.
func For[T any]() Plan[T] {
	return Plan[T]{nodeFor(reflect.TypeFor[T]())}
}

// Append appends the encoding of *v to dst. After an error or a panic what it
// has appended is to be dropped, and e can be used again.
func (p Plan[T]) Append(e *Encoder, dst []byte, v *T) ([]byte, error) {
	return e.append(dst, p.root, unsafe.Pointer(v))
}

// Decode decodes payload, which must be exactly one value, into *v, which must
// be zero. After an error *v can hold part of the value. d can be used again
// after errors and panics.
func (p Plan[T]) Decode(d *Decoder, payload []byte, v *T) error {
	return d.decode(payload, p.root, unsafe.Pointer(v))
}

// sliceHeader is the layout of a slice.
type sliceHeader struct {
	data unsafe.Pointer
	len  int
	cap  int
}
