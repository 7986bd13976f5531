package inbox

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/fb9bb4ed/qsocket/internal/socket"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// cutControl takes the control frame at the start of b off the buffer and hands it to
// OnControl. It reports false if b ends before the frame does. The frame is consumed
// first: it is done with, whatever OnControl returns.
func (in *Inbox) cutControl(b []byte) (whole bool, err error) {
	size := int(binary.BigEndian.Uint32(b) &^ wire.ControlBit)
	if size < 1 || size > wire.MaxControl {
		return false, fmt.Errorf("%w: control frame of %d bytes, want 1 to %d", wire.ErrProtocol, size, wire.MaxControl)
	}
	if in.need = 4 + size; len(b) < in.need {
		return false, nil
	}
	frame := b[4:in.need]
	in.r += in.need
	in.need, in.frameLeft = 0, 0
	if in.r == in.w {
		in.publish()
	}
	if in.tracer != nil {
		in.tracer.Control(false, frame)
	}
	err = in.onControl(frame[0], frame[1:])
	if err == ErrGoodbye {
		in.messagesOver = true
	}
	return true, err
}

// MessagesOver says that no more messages may come: the peer has said so elsewhere. It must be called before anything is
// received.
func (in *Inbox) MessagesOver() { in.messagesOver = true }

// Dropped reports whether a message was received and not delivered. It is for
// OnControl, whose caller holds the lock.
func (in *Inbox) Dropped() bool { return in.dropped || in.undelivered.Load() }

// Drop notes that a message was received and will not be delivered. Any goroutine may call it.
func (in *Inbox) Drop() { in.undelivered.Store(true) }

// DrainControl reads on after the last message, for control frames, and drops what
// messages still come. It returns why there is nothing more to read; io.EOF is one of
// the reasons. The caller holds the lock and keeps it: this is the last that is done
// with an Inbox. dropped says that the caller has a message that it will not deliver.
//
// From here on Stop no longer ends waits: the closing of the socket does.
func (in *Inbox) DrainControl(dropped bool) error {
	in.drain = nil
	in.dropped = in.dropped || dropped
	if in.err == ErrGoodbye {
		in.err = nil
	}
	if in.err == nil && in.stoppedErr != nil { // it cannot be read again
		in.err = socket.NetworkError("read", in.stoppedErr)
	}
	in.mu.Lock()
	in.controlOnly = true
	in.setDeadlineLocked(noDeadline)
	in.mu.Unlock()
	for {
		_, err := in.Next(context.Background())
		switch err {
		case nil:
			in.dropped = true
		case ErrGoodbye: // more control frames may follow
			in.err = nil
		default:
			return err
		}
	}
}
