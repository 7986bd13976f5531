package qsocket

import (
	"fmt"
	"reflect"
	"unicode/utf8"

	"github.com/fb9bb4ed/qsocket/internal/excerpt"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// maxName is the longest name of a protocol or codec that fits into a hello, bytes.
const maxName = wire.MaxName

// Protocol is what the two ends of a connection must agree on. Services that
// talk to each other import one package that declares their message type and
// their Protocol. What one end decides for itself is in [Options].
//
// The zero Protocol is usable: msgpack payloads in Uint32 frames. A Protocol
// is a plain value; copy it, and do not change one that is in use.
//
// Types are judged where a Protocol is first used: Dial, Listen, NewListener, NewConn, Pipe
// and Prepare return an error, and NewGroup panics, if no value of T, or of something in it,
// can be received or would arrive whole. The error names the field and says what to do:
//
//	qsocket: json: Order.Legs[].Err: error is an interface with methods: …
//
// Types are judged by the codecs of this package, once for each, and messages do not pay for
// it. The codecs say under "Values" what they refuse. A codec of your own that wraps one of them
// is not judged: use the inner one in a Pipe in a test.
type Protocol[T any] struct {
	// Name is the identity and version of the protocol, "orders/2", in UTF-8 of at
	// most 1,024 bytes. It switches on named mode: the two ends greet each other
	// with a hello, in which they find out whether they can talk and what the
	// limits of the other are, notice by heartbeats when the other is gone, and
	// end with a goodbye. Empty means raw mode: nothing but frames on the wire,
	// which peers in other languages speak as they are.
	Name string

	// Codec is how a T becomes a payload; nil means Msgpack[T](). A T that is an
	// interface with methods needs one, such as a Union.
	Codec Codec[T]

	// Framing is how payloads are delimited; zero means Uint32. A named protocol
	// has no other.
	Framing Framing
}

// codec returns p.Codec or the default one.
func (p Protocol[T]) codec() Codec[T] {
	if p.Codec == nil {
		return Msgpack[T]()
	}
	return p.Codec
}

// check reports what is wrong with p, before a socket is used with it.
func (p Protocol[T]) check() error {
	return checkProtocol(p.Name, p.Framing, p.Codec == nil, reflect.TypeFor[T](), p.codec())
}

// checkProtocol is check. t is the type of the messages; byDefault says that codec is the default one.
func checkProtocol(name string, framing Framing, byDefault bool, t reflect.Type, codec interface{ Name() string }) error {
	if wire.Framing(framing) >= wire.NumFramings {
		return fmt.Errorf("qsocket: unknown framing %d, want Uint32 to Netstring", uint8(framing))
	}
	if name != "" && framing != Uint32 {
		return fmt.Errorf("qsocket: protocol %s uses framing %v, but a named protocol requires Uint32", excerpt.Quote(name, excerpt.MaxName), framing)
	}
	if byDefault && t.Kind() == reflect.Interface && t.NumMethod() > 0 {
		return fmt.Errorf("qsocket: messages are of the interface type %v, which the default codec cannot receive: want a Codec, such as a Union", t)
	}
	if len(name) > maxName || !utf8.ValidString(name) {
		return fmt.Errorf("qsocket: the name of the protocol is %d bytes, want UTF-8 of at most %d", len(name), maxName)
	}
	if codecName := codec.Name(); name != "" && (len(codecName) > maxName || !utf8.ValidString(codecName)) {
		return fmt.Errorf("qsocket: protocol %s: the name of its codec is %d bytes, want UTF-8 of at most %d", excerpt.Quote(name, excerpt.MaxName), len(codecName), maxName)
	}
	if err := unfit(codec); err != nil {
		return fmt.Errorf("qsocket: %w", err)
	}
	return nil
}

// Framing says how payloads are delimited on the wire. The header announces
// the payload's length in bytes, itself not included.
type Framing uint8

const (
	Uint32    = Framing(wire.Uint32)    // 4-byte big-endian length (Python qsocket "!i", Erlang {packet,4}, Twisted Int32, tokio-util)
	Uint16    = Framing(wire.Uint16)    // 2-byte big-endian length (Erlang {packet,2})
	Uint8     = Framing(wire.Uint8)     // 1-byte length (Erlang {packet,1})
	Uint32LE  = Framing(wire.Uint32LE)  // 4-byte little-endian length
	Uvarint   = Framing(wire.Uvarint)   // base-128 varint length (protobuf's and libp2p's delimited messages)
	Netstring = Framing(wire.Netstring) // decimal length, colon, payload, comma: "5:hello," (https://cr.yp.to/proto/netstrings.txt)
)

// String returns the name of the constant, such as "Uint32".
func (f Framing) String() string { return wire.Framing(f).String() }
