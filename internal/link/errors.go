package link

import (
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/fb9bb4ed/qsocket/internal/inbox"
	"github.com/fb9bb4ed/qsocket/internal/outbox"
)

var (
	// ErrUnconfirmed: Shutdown cannot say that the peer took everything we sent.
	ErrUnconfirmed = errors.New("qsocket: peer did not confirm that it took every message")

	// ErrPeerDead: the peer was silent for twice the heartbeat interval.
	ErrPeerDead = inbox.ErrPeerDead

	// ErrGone: the caller of a send no longer wanted it.
	ErrGone = outbox.ErrGone

	// ErrClosed is what calls on a connection that its own program closed return.
	ErrClosed = fmt.Errorf("qsocket: %w", net.ErrClosed)

	// ErrSendEnded is what Send returns after CloseWrite.
	ErrSendEnded = fmt.Errorf("qsocket: sending was ended by CloseWrite: %w", net.ErrClosed)

	// errPeerClosed is what Send returns after the peer's full goodbye.
	errPeerClosed = fmt.Errorf("qsocket: the peer has closed the connection: %w", net.ErrClosed)

	// errNoGoodbye is the end of a connection on which more was to come.
	errNoGoodbye = fmt.Errorf("qsocket: the connection ended without a goodbye: %w", io.ErrUnexpectedEOF)
)
