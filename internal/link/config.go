package link

import (
	"log/slog"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/outbox"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// Config is what a Link needs to know. Init copies what it keeps.
type Config struct {
	Framing      wire.Framing
	MaxFrame     int           // largest payload accepted from the peer, bytes
	SendLimit    int           // largest payload sent, bytes: MaxFrame, or the peer's if that is smaller
	PeerLimit    bool          // SendLimit is the peer's MaxFrame
	SendBuffer   int           // bytes accepted and not yet written, beyond which sending waits
	WriteTimeout time.Duration // 0: none
	FrameTimeout time.Duration // 0: none
	Log          *slog.Logger
	Tracer       *wire.Tracer // nil: none
	Owner        Owner

	// Named mode. The other fields below are for it.
	Named         bool
	Heartbeat     time.Duration // the interval that we ask of the peer; 0: none
	PeerHeartbeat time.Duration // the interval that the peer asks of us; 0: none
}

// Owner is what a Link asks of the Conn that owns it.
type Owner interface {
	outbox.Owner

	// StartReader starts the reader goroutine, if there is none: in named mode the Link
	// needs one to read the rest of the connection. It is called with no mutex held; the
	// caller may be a receiver, and hold the inbox's lock.
	StartReader()

	// RemoteError makes the error that a peer's reason for its goodbye becomes.
	RemoteError(code uint16, reason string) error

	// Farewell returns what the peer is to be told of a connection that has failed with err. It
	// reports false if that is nothing: where the peer is gone, or has said so itself.
	Farewell(err error) (f Farewell, ok bool)

	// Severity returns the level at which a failure, or the peer's reason, is logged.
	Severity(err error) slog.Level

	// OnSession handles the control frames of sessions; its caller is a receiver, as that of
	// onControl. It reports false if the connection belongs to none.
	OnSession(kind byte, body []byte) (known bool, err error)

	// GoesAway is told that one of the ends drains, once, with a mutex held: it must not call the Link.
	GoesAway()

	Protocol() string // its name; empty in raw mode
	CloseTimeout() time.Duration
}
