package qsocket

import (
	"context"
)

// Send encodes v and queues it. Messages go out in the order in which Send
// accepted them, those of concurrent senders in any order, and each as a whole.
//
// A nil error means that v is in the connection's outgoing buffer or already
// with the kernel. It is flushed without further calls. It does not mean that
// the peer has received it; see [Conn.Shutdown].
//
// Otherwise v was not queued and none of it reaches the peer. The Conn goes on
// to work after
//   - the error of ctx: it ended before there was room in the outgoing buffer
//     (Options.SendBuffer), which happens when the peer does not keep up. A ctx
//     that has ended already sends nothing;
//   - [ErrFrameTooLarge]: the payload exceeds Options.MaxFrame, in named mode that
//     of the peer (Peer.MaxFrame), or what the framing can announce;
//   - a [*CodecError]: v could not be encoded. (With a stateful Encoder, see below.)
//
// After an error that wraps net.ErrClosed it does not: this end has closed the
// Conn or its sending half, or the Conn has failed, and the error wraps that
// failure as well. A message that is too large for a stateful [Encoder] without
// Reset ends the Conn, and so does a panic in it.
//
// Send waits for nothing but room in the buffer; a message larger than
// SendBuffer waits until it is empty. v is not retained.
func (c *Conn[T]) Send(ctx context.Context, v T) error {
	return c.send(ctx, &v, nil, nil)
}

// send is Send, or SendPrepared if m is not nil. It waits no longer if left,
// which may be nil, is closed.
func (c *Conn[T]) send(ctx context.Context, v *T, m *Prepared[T], left <-chan struct{}) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	o := &c.out
	o.mu.Lock()
	if !o.openLocked() {
		if err := o.awaitRoomLocked(ctx, left); err != nil {
			o.mu.Unlock()
			return err
		}
	}
	if err := c.encodeLocked(v, m); err != nil {
		return c.refuse(err)
	}
	if !o.fitsLocked() {
		return c.offer(ctx, m, left)
	}
	o.acceptLocked()
	o.flushLocked()
	o.mu.Unlock()
	return nil
}

// offer ends a send whose frame does not fit yet. It stays at the end of
// pending, where nobody can add to it, until it is accepted or taken back. The
// caller holds out.mu, which offer releases.
func (c *Conn[T]) offer(ctx context.Context, m *Prepared[T], left <-chan struct{}) error {
	o := &c.out
	err := o.awaitGrantLocked(ctx, left)
	if err != nil {
		if o.stopErr == nil && c.withdrawLocked(m) {
			err = nil
		} else {
			o.takeBackLocked()
		}
		o.wakeLocked()
	}
	o.mu.Unlock()
	return err
}

// trySend is send without any waiting: it reports false if there is no room.
func (c *Conn[T]) trySend(v *T, m *Prepared[T]) (sent bool, err error) {
	o := &c.out
	o.mu.Lock()
	if !o.openLocked() {
		err := o.stopErr
		o.mu.Unlock()
		return false, err
	}
	if err := c.encodeLocked(v, m); err != nil {
		return false, c.refuse(err)
	}
	switch {
	case o.fitsLocked():
		o.acceptLocked()
		o.flushLocked()
		sent = true
	case c.withdrawLocked(m):
		sent = true
	default:
		o.takeBackLocked()
	}
	o.mu.Unlock()
	return sent, nil
}

// withdrawLocked prepares for taking back a frame that has been encoded and
// does not fit. If the peer could not decode what follows without the frame, it
// is accepted instead, which withdrawLocked reports: it was encoded when the
// buffer had room, so it is the one frame beyond it.
func (c *Conn[T]) withdrawLocked(m *Prepared[T]) (accepted bool) {
	if m != nil || c.undo() {
		return false
	}
	c.out.acceptLocked()
	c.out.flushLocked()
	return true
}

// refuse ends a send whose message could not be encoded, and with it the Conn
// if the encoder and the peer's decoder do not agree any more. The caller holds
// out.mu, which refuse releases.
func (c *Conn[T]) refuse(err error) error {
	o := &c.out
	broken := c.encodeBroken
	if broken { // before anybody else can encode
		o.stopLocked(&endedError{err})
	}
	o.wakeLocked()
	o.mu.Unlock()
	if broken {
		c.fail(err)
	}
	return err
}

// encodeLocked appends a frame with *v, or the frame of m, to the outbox's
// pending bytes. After an error pending is as it was, and encodeBroken tells
// whether the encoder still agrees with the peer's decoder. The caller must hold
// out.mu.
func (c *Conn[T]) encodeLocked(v *T, m *Prepared[T]) error {
	o := &c.out
	if m != nil {
		if err := c.framing.checkSend(m.size, c.sendMax, c.sendWhat); err != nil {
			return err
		}
		o.frame = len(m.frame) // so that there is room for it
		o.pending = append(o.bufferLocked(), m.frame...)
		return nil
	}
	start := len(o.pending)
	b, wild, err := safeEncode(c.codecName, c.enc, c.framing.openFrame(o.bufferLocked()), v)
	if err == nil {
		if err = c.framing.checkSend(c.framing.payloadSize(b, start), c.sendMax, c.sendWhat); err == nil {
			o.pending = c.framing.sealFrame(b, start)
			return nil
		}
		wild = true // in a good state, but not in that of the peer's decoder
	}
	if wild {
		c.encodeBroken = !c.undo()
	}
	o.takeBackLocked() // not b, which may have grown to any size
	return err
}

// undo tells the encoder that its last payload is not sent, and reports
// whether what it encodes next can be decoded without that payload.
func (c *Conn[T]) undo() (ok bool) {
	if c.stateless {
		return true
	}
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	r, ok := c.enc.(interface{ Reset() })
	if ok {
		r.Reset()
	}
	return ok
}

// Flush waits until everything that Send accepted before the call is with the
// kernel. It returns the error of ctx if that ends first, and otherwise the
// failed write. Send needs no Flush; it is for programs that want to know. On a
// Conn that has ended well it returns nil.
func (c *Conn[T]) Flush(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return c.out.flushedMessages(ctx)
}
