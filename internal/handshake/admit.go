package handshake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// An end may want to decide whether it talks to the peer at all (Admit). Its hello says so
// (wire.Hello.Admits), and its verdict is the first frame behind its hello and description:
// wire.AdmittedFrame, or a full goodbye with a code. The peer waits for it. For one end:
//
//	ours admits     Admit ──┬─ nil ──► send the verdict ──┐
//	                        └─ error ──► Denied           │ at the same time
//	theirs admits   read the verdict ─────────────────────┴─ admitted ──► Told
//	                                                       └─ goodbye ──► Refused
//
// An end sends nothing else between its hello and its verdict. A goodbye is sent by Reject.

// Denied is this end's refusal of a peer whose hello is fine.
type Denied struct {
	Field string // as in a HandshakeError
	Local string // why, for this end
	Code  uint16 // for the peer; 0: it is told nothing, since our hello has not been sent
	Words string // for the peer
	Cause error  // nil if there is none. Denied does not unwrap to it, for it says nothing of the handshake
}

func (e *Denied) Error() string { return e.mismatch().Error() }

func (e *Denied) mismatch() *wire.Mismatch { return &wire.Mismatch{Field: e.Field, Local: e.Local} }

// settle asks ours.Admit about the peer, tells it the verdict, if our hello has promised one, and reads the peer's, where
// the hellos say that there are such.
func settle(ctx context.Context, nc net.Conn, ours *Ours, theirs *wire.Hello, told *Told) error {
	var verdict []byte
	if ours.Admit != nil {
		if told.Attributes == nil {
			told.Attributes = make(map[string]string)
		}
		if err := ours.Admit(ctx, told); err != nil {
			return err
		}
	}
	if ours.Hello.Admits {
		verdict = wire.AdmittedFrame
	}
	read, waiting := readNothing, unfinished{who: "the peer", what: "read that it is admitted"}
	switch {
	case theirs.Admits:
		read, waiting = readVerdict, unfinished{who: "the peer's Options.Admit", what: "answered"}
	case verdict == nil:
		return nil
	}
	_, err := exchange(ctx, nc, verdict, read)
	var broken *Broken
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		waiting.cause = ctx.Err()
		return waiting
	case errors.As(err, &broken):
		broken.Mismatch.Local = "followed by the verdict on this end"
		broken.Mismatch.Peer = "it came, and the connection ended before " + waiting.who + " had " + waiting.what
	}
	return err
}

func readNothing(io.Reader) (struct{}, error) { return struct{}{}, nil }

// readVerdict reads the verdict of the peer.
func readVerdict(r io.Reader) (none struct{}, err error) {
	const want = "a verdict on this end"
	body, err := readControl(r, wire.KindAdmitted, want)
	if err == nil && body > 0 {
		err = wire.BadHello(want, fmt.Sprintf("one with a body of %d bytes", body))
	}
	return none, err
}

// readControl reads the header of a control frame of that kind, and no byte beyond it, and returns
// the length of its body. It returns a *Refused for a goodbye in its place. The header is checked with
// each byte that comes, since an empty message is shorter than a control frame and may be followed by
// nothing.
func readControl(r io.Reader, kind byte, want string) (body int, err error) {
	var header [5]byte
	n := 0
	for n < len(header) {
		k, err := r.Read(header[n:])
		n += k
		switch {
		case n > 0 && header[0]&0x80 == 0:
			return 0, wire.BadHello(want, fmt.Sprintf("a message, which begins with % x", header[:n]))
		case n >= 4 && (frameSize(header) < 1 || frameSize(header) > wire.MaxControl):
			return 0, wire.BadHello(want, fmt.Sprintf("a control frame of %d bytes", frameSize(header)))
		case err != nil && n < len(header):
			return 0, silentPeer(err)
		}
	}
	body = frameSize(header) - 1
	switch header[4] {
	case kind:
		return body, nil
	case wire.KindGoodbye:
		return 0, readRefusal(r, body, want)
	}
	return 0, wire.BadHello(want, fmt.Sprintf("a control frame of kind 0x%02x", header[4]))
}
