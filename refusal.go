package qsocket

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
)

// errCrowded is what becomes of the longest of too many handshakes.
var errCrowded = errors.New("qsocket: handshake given up in favour of newer ones: MaxHandshakes are under way")

// panicError is a panic in a handshake.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string {
	return fmt.Sprintf("qsocket: panic in the handshake: %v\n%s", e.value, e.stack)
}

// shake is a handshake under way.
type shake struct{ giveUp context.CancelCauseFunc }

// handshake returns a context for a handshake that begins, and a function to be
// called when it is over. If there are too many, the oldest gives way.
func (l *Listener[T]) handshake() (ctx context.Context, done func()) {
	ctx, cancel := context.WithCancelCause(l.closing)
	if l.opts.MaxHandshakes == 0 {
		return ctx, func() { cancel(nil) }
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shaking.Len() >= l.opts.MaxHandshakes {
		oldest := l.shaking.Remove(l.shaking.Front()).(*shake)
		oldest.giveUp(errCrowded)
	}
	e := l.shaking.PushBack(&shake{cancel})
	return ctx, func() {
		cancel(nil)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.shaking.Remove(e) // does nothing if it has given way
	}
}

// refuse counts a handshake that has failed.
func (l *Listener[T]) refuse(cause string) {
	l.mu.Lock()
	if l.refusals == nil {
		l.refusals = make(map[string]uint64)
	}
	l.refusals[cause]++
	l.mu.Unlock()
	l.refused.Add(1)
}

// Refusals returns how many handshakes have failed, by cause. Their sum is
// ListenerStats.Refused. The causes are
//
//	timeout   not over within HandshakeTimeout
//	crowded   given up in favour of newer ones, see Options.MaxHandshakes
//	closed    the Listener was closed meanwhile
//	tls       the handshake of TLS failed, also because the client spoke no TLS
//	magic, version, hello, proto, codec, types
//	          the field of a HandshakeError; hello also if the client was gone
//	panic     a callback of the TLS Config panicked
//	other     anything else
func (l *Listener[T]) Refusals() map[string]uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.refusals)
}

// refusalCause sorts the errors of handshakes.
func refusalCause(err error) string {
	var panicked *panicError
	var he *HandshakeError
	var notTLS tls.RecordHeaderError
	switch {
	case errors.Is(err, errCrowded):
		return "crowded"
	case errors.Is(err, context.Canceled):
		return "closed"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.As(err, &panicked):
		return "panic"
	case errors.As(err, &he):
		return he.Field
	case errors.As(err, &notTLS), strings.HasPrefix(err.Error(), tlsPrefix):
		return "tls"
	}
	return "other"
}
