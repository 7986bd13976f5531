package handshake

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/excerpt"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// Broken is a Mismatch that has a cause: the connection, or the time, came to an end
// before the hello had come.
type Broken struct {
	Mismatch wire.Mismatch
	Cause    error
	unheard  bool // the peer was gone before a byte of its hello had come
}

// Error begins with what is known: an alert says more than that no hello has come.
func (e *Broken) Error() string {
	if IsAlert(e.Cause) {
		return excerpt.Wrap(tlsPrefix, e.Cause).Error()
	}
	return excerpt.Pair(&e.Mismatch, e.Cause)
}

func (e *Broken) Unwrap() []error { return []error{&e.Mismatch, e.Cause} }

// IsAlert reports whether err is a fatal alert of TLS, as a Read returns it. In TLS 1.3 a client learns only after its own handshake what the
// server thinks of its certificate (RFC 8446, section 4.4.2.4).
func IsAlert(err error) bool {
	var oe *net.OpError
	return errors.As(err, &oe) && oe.Err != nil && reflect.TypeOf(oe.Err).PkgPath() == "crypto/tls"
}

// Refused is the peer's goodbye in the handshake: it has accepted our hello as little as
// one that it cannot read, but says why.
type Refused struct {
	Reason string // empty only if there is a code
	Code   uint16 // 0: none
}

func (e *Refused) Error() string {
	return "qsocket: handshake: refused by the peer: " + excerpt.Text(e.Reason, excerpt.MaxPart)
}

// silentPeer is the error for a peer that ends, or fails, before its hello has come.
func silentPeer(err error) *Broken {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	found := "the connection ended before one came: " + endGuesses
	if IsAlert(err) {
		found = "an alert of TLS has ended the connection"
	}
	return &Broken{Mismatch: wire.Mismatch{Field: "hello", Local: "beginning with " + wire.Magic, Peer: found}, Cause: err}
}

// gonePeer is the error for a peer that ends, or fails, before a byte of its hello has come.
func gonePeer(err error) *Broken {
	broken := silentPeer(err)
	broken.unheard = !IsAlert(err)
	return broken
}

// IsUnheard reports whether a handshake failed with e because the peer had gone before it had said
// anything: a scanner, or a health check that only connects.
func (e *Broken) IsUnheard() bool { return e.unheard }

// IsUnheardTLS is the same of the handshake of TLS.
func IsUnheardTLS(err error) bool {
	_, unheard := err.(*unheardTLS)
	return unheard
}

// unheardTLS is the error of TLS for a peer that has gone without a byte.
type unheardTLS struct{ err error }

func (e *unheardTLS) Error() string { return e.err.Error() }
func (e *unheardTLS) Unwrap() error { return e.err }

// What may be behind an end, or a silence, the likely causes first.
const (
	endGuesses     = "the service is restarting, or there is none behind a proxy, or the peer runs raw mode or another protocol"
	silenceGuesses = "the service is at its MaxConns, or stuck, or the peer runs raw mode or another protocol"
)

// isRefusal reports whether err is about what the peer has said, and not about
// the connection.
func isRefusal(err error) bool {
	var broken *Broken
	return !errors.As(err, &broken)
}

// Late is the error for a handshake that failed with err because it was not over
// within timeout.
func Late(err error, timeout time.Duration) error {
	if IsTLS(err) {
		return lateTLS(timeout)
	}
	if err == context.DeadlineExceeded { // it was over a moment too late
		return fmt.Errorf("qsocket: handshake: done, but not within HandshakeTimeout %v: %w", timeout, os.ErrDeadlineExceeded)
	}
	var busy unfinished
	if errors.As(err, &busy) {
		return &Broken{Mismatch: wire.Mismatch{
			Field: "hello",
			Local: "within HandshakeTimeout",
			Peer:  fmt.Sprintf("it came, and after %v %s had not %s", timeout, busy.who, busy.what),
		}, Cause: os.ErrDeadlineExceeded}
	}
	return &Broken{Mismatch: wire.Mismatch{
		Field: "hello",
		Local: "within HandshakeTimeout",
		Peer:  fmt.Sprintf("none came for %v: "+silenceGuesses, timeout),
	}, Cause: os.ErrDeadlineExceeded}
}

// lateTLS is that error for TLS, which knows deadlines of contexts only.
type lateTLS time.Duration

func (e lateTLS) Error() string {
	return fmt.Sprintf(tlsPrefix+"not over within HandshakeTimeout %v: %v", time.Duration(e), context.DeadlineExceeded)
}

func (e lateTLS) Unwrap() []error { return []error{context.DeadlineExceeded, os.ErrDeadlineExceeded} }

// tlsPrefix begins the text of every error of the handshake of TLS.
const tlsPrefix = "qsocket: TLS handshake: "

// IsTLS reports whether the handshake of TLS failed with err, also because the peer
// spoke no TLS.
func IsTLS(err error) bool {
	var notTLS tls.RecordHeaderError
	return errors.As(err, &notTLS) || strings.HasPrefix(excerpt.Words(err), tlsPrefix)
}

// tlsError says what was found where TLS was expected. heard is whether a message of the peer's had come.
func tlsError(err error, heard bool) error {
	var notTLS tls.RecordHeaderError
	if errors.As(err, &notTLS) {
		if found := wire.Sniff(notTLS.RecordHeader[:]); found != "" {
			return excerpt.Wrap(tlsPrefix+found+": ", err)
		}
	}
	var oe *net.OpError
	gone := err == io.EOF || errors.As(err, &oe) && !oe.Timeout() && !IsAlert(err)
	if err == io.EOF { // between two records, but not between two messages
		err = fmt.Errorf("the peer ended it: %w", io.ErrUnexpectedEOF)
	}
	if err = excerpt.Wrap(tlsPrefix, err); gone && !heard {
		return &unheardTLS{err}
	}
	return err
}
