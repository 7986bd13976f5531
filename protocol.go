package qsocket

import (
	"fmt"
)

// Protocol is what the two ends of a connection must agree on. Services that
// talk to each other import one package that declares their message type and
// their Protocol. What one end decides for itself is in [Options].
//
// The zero Protocol is usable: msgpack payloads in Uint32 frames. A Protocol
// is a plain value; copy it, and do not change one that is in use.
type Protocol[T any] struct {
	// Name is the identity and version of the protocol, "orders/2". Empty means
	// raw mode: nothing but frames on the wire, which peers in other languages
	// speak as they are. Constructors refuse a Name for now: the handshake that
	// it switches on is not part of this version.
	Name string

	Codec   Codec[T] // how a T becomes a payload; nil means Msgpack[T]()
	Framing Framing  // how payloads are delimited; zero means Uint32
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
	if p.Framing >= numFramings {
		return fmt.Errorf("qsocket: unknown framing %d, want Uint32 to Netstring", uint8(p.Framing))
	}
	if p.Name != "" && p.Framing != Uint32 {
		return fmt.Errorf("qsocket: protocol %q uses framing %v, but a named protocol requires Uint32", p.Name, p.Framing)
	}
	if p.Name != "" {
		return fmt.Errorf("qsocket: protocol %q has a Name, but this version speaks raw mode only: leave Name empty", p.Name)
	}
	return nil
}
