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
	case kind == wire.KindGoingAway:
		g, err := wire.ParseGoingAway(body)
		if err == nil {
			l.onGoingAway(g)
		}
		return err
	case kind >= wire.KindExtension:
		return nil
	case kind == wire.KindAck || kind == wire.KindAsk:
		if known, err := l.owner.OnSession(kind, body); known {
			return err
		}
		return fmt.Errorf("%w: control frame of kind %#02x outside a session", wire.ErrProtocol, kind)
	case kind == wire.KindSession:
		return fmt.Errorf("%w: a second answer about a session, or one that was not asked for", wire.ErrProtocol)
	case kind != wire.KindHeartbeat && kind != wire.KindConfirm:
		return fmt.Errorf("%w: control frame of the reserved kind %#02x", wire.ErrProtocol, kind)
	case len(body) > 0:
		return fmt.Errorf("%w: control frame of kind %#02x with a body of %d bytes, want none", wire.ErrProtocol, kind, len(body))
	case kind == wire.KindConfirm:
		return l.onConfirm()
	}
	return nil
}

// An end that drains says so in a control frame of its own, and goes on: what it is sent it
// still receives, and what its program still sends is sent. Its own program learns of it in the same
// way as that of the peer.

// GoAway tells both ends that this one will end the connection before long.
func (l *Link) GoAway(reason string) {
	if !l.fireGoingAway() {
		return
	}
	if l.Named() && l.Out.GoodbyeSent() != wire.GoodbyeFull {
		l.Out.SendControl(wire.GoingAway{Reason: reason}.Frame())
	}
}

// onGoingAway is called by the receiver that has read that the peer drains.
func (l *Link) onGoingAway(g wire.GoingAway) {
	if l.fireGoingAway() {
		l.logGoingAway(g.Reason)
	}
}

// fireGoingAway fires goingAway, and reports whether that was the first time.
func (l *Link) fireGoingAway() (first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	first = !l.goesAway
	l.goesAway = true
	l.goingAway.FireLocked()
	if first {
		l.owner.GoesAway()
	}
	return first
}

// GoingAway returns the channel that is closed when one of the ends drains.
func (l *Link) GoingAway() <-chan struct{} { return l.wait(&l.goingAway) }
