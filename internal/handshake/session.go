package handshake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// A client may ask for a session in its hello (wire.Hello.Session). A server that has sessions
// says so in its own, and its answer is the first frame behind hello, description and verdict: it
// is sent by the owner of the session, once the old connection of it has let go. So the client
// reads it here, and the server writes it later.

// Session is what the client's hello says of a session.
type Session struct {
	ID        [wire.SessionIDSize]byte
	Try, Got  uint64
	New       bool
	Keep      uint64 // also of a server
	HasID     bool
	ServerHas bool // the server has sessions
}

func newSession(h *wire.Hello) (s Session) {
	s = Session{Try: h.Try, Got: h.Got, New: h.New, Keep: h.Keep, HasID: h.Session != nil, ServerHas: h.Expiry > 0}
	copy(s.ID[:], h.Session)
	return s
}

// answer reads the server's answer to a client that asks for a session.
func answer(ctx context.Context, nc net.Conn, told *Told) error {
	if !told.Session.ServerHas {
		return &wire.Mismatch{Field: "session", Local: "a session", Peer: "a server without sessions"}
	}
	s, err := exchange(ctx, nc, nil, readSession)
	var broken *Broken
	switch {
	case err == nil:
		told.Answer = s
		return nil
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return unfinished{cause: ctx.Err(), who: "the peer", what: "answered about the session"}
	case errors.As(err, &broken):
		broken.Mismatch.Local = "followed by an answer about the session"
		broken.Mismatch.Peer = "it came, and the connection ended before that"
	}
	return err
}

func readSession(r io.Reader) (s wire.Session, err error) {
	const want = "an answer about the session"
	n, err := readControl(r, wire.KindSession, want)
	if err != nil {
		return s, err
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return s, silentPeer(err)
	}
	if s, err = wire.ParseSession(body); err != nil {
		return s, wire.BadHello(want, fmt.Sprint(err))
	}
	return s, nil
}
