package qsocket

import (
	"errors"
	"io"
	"strings"

	"github.com/fb9bb4ed/qsocket/internal/excerpt"
	"github.com/fb9bb4ed/qsocket/internal/handshake"
	"github.com/fb9bb4ed/qsocket/internal/link"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// Errors that a Conn reports besides the standard ones (net.ErrClosed, io.EOF,
// io.ErrUnexpectedEOF, os.ErrDeadlineExceeded, errors.ErrUnsupported and those
// of contexts). They arrive wrapped: compare with errors.Is.
var (
	// ErrFrameTooLarge: a payload is larger than MaxFrame, ours or in named mode
	// the peer's, or than the framing can announce. Send refuses such a message
	// and the Conn lives on (except with a stateful Encoder that has no Reset); on
	// receive it ends the Conn.
	ErrFrameTooLarge = wire.ErrFrameTooLarge

	// ErrProtocol: the peer sent bytes that are no legal frame.
	ErrProtocol = wire.ErrProtocol

	// ErrPeerDead: nothing came from the peer for twice Options.Heartbeat, while
	// this end was receiving, or while a Send or Flush waited and the peer took
	// nothing. Raw mode has no heartbeats and never returns it.
	ErrPeerDead = link.ErrPeerDead

	// ErrUnconfirmed: Shutdown cannot say that the peer took everything we sent.
	ErrUnconfirmed = link.ErrUnconfirmed

	// ErrSlowConsumer: a Group with policy Disconnect closed the Conn, because
	// its peer did not keep up.
	ErrSlowConsumer = errors.New("qsocket: slow consumer")
)

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

// Error shows an excerpt of what the codec said, if that is long or not printable.
func (e *CodecError) Error() string {
	said := excerpt.Text(strings.TrimPrefix(excerpt.Words(e.Err), e.Codec+": "), excerpt.MaxPart)
	return excerpt.Text("qsocket: "+e.Op+" "+excerpt.Text(e.Codec, excerpt.MaxName)+": "+said, excerpt.MaxText)
}

// Unwrap returns e.Err, or io.ErrUnexpectedEOF where e.Err is io.EOF or wraps it. It returns
// nil where the methods of e.Err panic, as those of a nil pointer do.
func (e *CodecError) Unwrap() (err error) {
	defer func() {
		if recover() != nil {
			err = nil
		}
	}()
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
//	heartbeat the peer asks for heartbeats more often than every 100 ms, and than this end
//	          does. That peer gets a RemoteError
//	types     messages of one end cannot be decoded by the other, or would arrive
//	          changed: a field is of another type, say
//	refused   Options.Admit of one end has refused the other, with Refuse: Peer has the
//	          reason at the end that was refused, Local what Admit has returned at the other
//	full      the peer is at its MaxConns, or its MaxSessions
//	session   the client wants a session, and the server has none (Options.MaxSessions)
//	internal  Options.Admit of one end failed otherwise, or Options.Attributes did; Local has
//	          the error's text, which the other end is not told
//
// With refused and internal the error wraps what the callback has returned as well, and at the other
// end a [*RemoteError] with CodeRefused or CodeInternal. With full it wraps one with CodeFull where
// MaxConns is reached.
//
// Whether there is any point in dialing again says Final.
type HandshakeError struct {
	Field string
	Local string // what this end has or wants
	Peer  string // what the peer has or sent
}

// Final reports whether dialing again will not help as long as both ends run the programs that
// they run: where version, proto, codec, heartbeat or types differ, if it was refused, and if the
// server has no sessions. It is
// false for full and internal, and for magic and
// hello, which are also what a client sees while its service restarts, behind a proxy that has
// none to pass it on to, and in front of a crowd that waits for a service at its MaxConns.
func (e *HandshakeError) Final() bool {
	switch e.Field {
	case "version", "proto", "codec", "heartbeat", "types", "refused", "session":
		return true
	}
	return false
}

// Error shows an excerpt of what is long or not printable.
func (e *HandshakeError) Error() string { return (*wire.Mismatch)(e).Error() }

// handshakeError makes HandshakeErrors of the mismatches of package handshake.
func handshakeError(err error) error {
	switch e := err.(type) {
	case *wire.Mismatch:
		return (*HandshakeError)(e)
	case *handshake.Broken:
		return &brokenHandshake{e}
	case *handshake.Denied:
		return newDeniedError(e)
	case *handshake.Refused:
		return refusedError(e)
	}
	return err
}

// brokenHandshake is a HandshakeError that has a cause.
type brokenHandshake struct{ broken *handshake.Broken }

func (e *brokenHandshake) Error() string { return e.broken.Error() }
func (e *brokenHandshake) Unwrap() []error {
	return []error{(*HandshakeError)(&e.broken.Mismatch), e.broken.Cause}
}
