package qsocket

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
)

// Errors that a Conn reports besides the standard ones (net.ErrClosed, io.EOF,
// io.ErrUnexpectedEOF, os.ErrDeadlineExceeded, errors.ErrUnsupported and those
// of contexts). They arrive wrapped: compare with errors.Is.
var (
	// ErrFrameTooLarge: a payload is larger than MaxFrame, ours or in named mode
	// the peer's, or than the framing can announce. Send refuses such a message
	// and the Conn lives on (except with a stateful Encoder that has no Reset); on
	// receive it ends the Conn.
	ErrFrameTooLarge = errors.New("qsocket: frame too large")

	// ErrProtocol: the peer sent bytes that are no legal frame.
	ErrProtocol = errors.New("qsocket: protocol violation")

	// ErrPeerDead: nothing came from the peer for twice Options.Heartbeat, while
	// somebody was receiving. Raw mode has no heartbeats and never returns it.
	ErrPeerDead = errors.New("qsocket: peer is dead")

	// ErrUnconfirmed: Shutdown cannot say that the peer took everything we sent.
	ErrUnconfirmed = errors.New("qsocket: peer did not confirm that it took every message")

	// ErrSlowConsumer: a Group with policy Disconnect closed the Conn, because
	// its peer did not keep up.
	ErrSlowConsumer = errors.New("qsocket: slow consumer")
)

// errClosed is what calls on a Conn that its own program closed return.
var errClosed = fmt.Errorf("qsocket: %w", net.ErrClosed)

// errSendEnded is what Send returns after CloseWrite.
var errSendEnded = fmt.Errorf("qsocket: sending was ended by CloseWrite: %w", net.ErrClosed)

// endedError is what Send returns after the failure that ended the Conn.
type endedError struct{ cause error }

func (e *endedError) Error() string {
	return "qsocket: connection has ended: " + strings.TrimPrefix(e.cause.Error(), "qsocket: ")
}

func (e *endedError) Unwrap() []error { return []error{net.ErrClosed, e.cause} }

// CodecError reports a value that could not be encoded or a payload that could
// not be decoded, a panic inside the codec included. On Send it costs only that
// message (and the Conn only if a stateful [Encoder] without Reset panicked); on
// receive it ends the Conn. It never unwraps to io.EOF: a payload that ends too
// early is io.ErrUnexpectedEOF.
type CodecError struct {
	Op    string // "encode" or "decode"
	Codec string // Codec.Name()
	Err   error  // what the codec said
}

func (e *CodecError) Error() string {
	return "qsocket: " + e.Op + " " + e.Codec + ": " + strings.TrimPrefix(e.Err.Error(), e.Codec+": ")
}

// Unwrap returns e.Err, or io.ErrUnexpectedEOF where e.Err is io.EOF or wraps it.
func (e *CodecError) Unwrap() error {
	if errors.Is(e.Err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return e.Err
}

// HandshakeError reports, on both ends, why two ends of a named protocol cannot
// talk. Raw mode has no hello and never returns one.
//
//	Field     what is wrong
//	magic     the peer does not begin with a hello: Peer says what it seems to be
//	version   it speaks another version of the wire format
//	hello     its hello is malformed, or none came before the connection ended or
//	          HandshakeTimeout: then io.ErrUnexpectedEOF, os.ErrDeadlineExceeded or
//	          the network's error is wrapped as well
//	proto     Protocol.Name differs
//	codec     Codec.Name differs
//	types     messages of one end cannot be decoded by the other, or would arrive
//	          changed: a field is of another type, say
type HandshakeError struct {
	Field string
	Local string // what this end has or wants
	Peer  string // what the peer has or sent
}

func (e *HandshakeError) Error() string {
	switch e.Field {
	case "magic", "hello":
		return fmt.Sprintf("qsocket: handshake: want a hello (%s): %s", e.Local, e.Peer)
	case "types":
		return fmt.Sprintf("qsocket: handshake: the message types do not match: %s here, %s at the peer", e.Local, e.Peer)
	}
	return fmt.Sprintf("qsocket: handshake: %s differs: %q here, %q at the peer", e.Field, e.Local, e.Peer)
}

// RemoteError is the reason that the peer gave for ending a connection of a
// named protocol. Raw mode cannot carry a reason and never returns one.
type RemoteError struct {
	Reason string
}

func (e *RemoteError) Error() string {
	return "qsocket: closed by peer: " + e.Reason
}

// frameSizeError is ErrFrameTooLarge with the numbers.
type frameSizeError struct {
	size     uint64 // payload bytes
	limit    uint64 // payload bytes
	what     string // whose limit
	received bool   // announced by the peer, so a protocol violation as well
	found    string // what the peer seems to be instead; may be empty
}

func (e *frameSizeError) Error() string {
	s := fmt.Sprintf("qsocket: frame of %d bytes exceeds %s %d", e.size, e.what, e.limit)
	if e.found != "" {
		s += ": " + e.found
	}
	return s
}

func (e *frameSizeError) Is(target error) bool {
	return target == ErrFrameTooLarge || e.received && target == ErrProtocol
}
