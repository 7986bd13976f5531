package link

import (
	"fmt"

	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// onControl handles a control frame of the peer. Its caller, a receiver, holds the
// inbox's lock and no other, and is not in the callback of a raw read: what the frame
// leads to may close the socket. An error ends the connection, but for
// inbox.ErrGoodbye.
func (l *Link) onControl(kind byte, body []byte) error {
	switch {
	case kind == wire.KindGoodbye:
		g, err := wire.ParseGoodbye(body)
		if err != nil {
			return err
		}
		return l.onGoodbye(g)
	case kind >= wire.KindExtension:
		return nil
	case kind != wire.KindHeartbeat && kind != wire.KindConfirm:
		return fmt.Errorf("%w: control frame of the reserved kind %#02x", wire.ErrProtocol, kind)
	case len(body) > 0:
		return fmt.Errorf("%w: control frame of kind %#02x with a body of %d bytes, want none", wire.ErrProtocol, kind, len(body))
	case kind == wire.KindConfirm:
		return l.onConfirm()
	}
	return nil
}
