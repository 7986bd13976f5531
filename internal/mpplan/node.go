package mpplan

import (
	"reflect"
	"sync"
	"sync/atomic"
	"unsafe"
)

// op is how a value is encoded or decoded.
type op uint8

const (
	opUnsupported op = iota // an error
	opBool
	opInt8
	opInt16
	opInt32
	opInt64
	opUint8
	opUint16
	opUint32
	opUint64
	opFloat32
	opFloat64
	opString
	opBytes     // slice of bytes
	opByteArray // array of bytes
	opSlice
	opArray
	opMap
	opPointer
	opStruct
	opTime
	opAny       // an interface without methods
	opInterface // one with methods
	opError     // error: its text
	opBinary    // MarshalBinary, UnmarshalBinary
	opText      // MarshalText, UnmarshalText
	opMarshal   // MarshalMsgpack, UnmarshalMsgpack
	opRaw       // msgpack.RawMessage
	opV5        // left to v5
	opStrings   // slice of strings, in a member
	opReach     // field behind embedded pointers, in a member
)

// node is the plan for one type. Once it is compiled it does not change but for held, which
// is worked out when it is wanted.
type node struct {
	typ       reflect.Type
	enc       op
	dec       op
	extension bool           // registered in v5
	size      uintptr        // of a value
	elem      *node          // of pointers, slices, arrays, maps
	key       *node          // of maps
	len       int            // of arrays
	fields    *fields        // of structs
	unfit     string         // why values cannot be sent and received, if they cannot
	isZeroer  bool           // has IsZero
	direct    bool           // DecodeMsgpack is called without v5
	pointer   unsafe.Pointer // to a value, as interfaces have that type; of types with methods
	inside    place          // where an interface has it
	typed     typed          // of maps, if there is one
	scratch   *sync.Pool
	apart     bool                    // of maps: keys stay different, whatever they are encoded as
	always    bool                    // of maps: every key can be one
	held      atomic.Pointer[verdict] // of a value in an interface
}

// most returns the largest integer that n takes.
func (n *node) most() uint64 {
	switch n.dec {
	case opInt8, opInt16, opInt32, opInt64:
		return 1<<(8*n.size-1) - 1
	case opUint8, opUint16, opUint32, opUint64:
		return 1<<(8*n.size) - 1
	}
	return 0
}

// name is what errors call a value of the type.
func (n *node) name() string {
	if name := n.typ.Name(); name != "" {
		return name
	}
	return "message"
}

// nodes has every node that is complete, by reflect.Type.
var nodes sync.Map

// nodeFor returns the node for t. Where it is compiled at the same time by
// several goroutines, each has its own. A lock would be held while v5 calls
// encoders of extensions, see registered.
func nodeFor(t reflect.Type) *node {
	if n, ok := nodes.Load(t); ok {
		return n.(*node)
	}
	b := builder{nodes: make(map[reflect.Type]*node)}
	n := b.build(t)
	for _, n := range b.nodes {
		if n.fields != nil {
			n.fields.finish()
		}
	}
	for _, n := range b.nodes {
		n.inside = placeOf(n)
		if n.typ.Kind() == reflect.Map {
			n.typed = typedFor(n)
		}
	}
	for t, n := range b.nodes { // each of them leads to others, so all are finished
		nodes.Store(t, n)
	}
	return n
}
