package qsocket

import (
	"context"
	"sync"
)

// Send encodes v and queues it. Messages go out in the order in which Send
// accepted them, those of concurrent senders in any order, and each as a whole.
//
// A nil error means that v is in the connection's outgoing buffer or already
// with the kernel. It is flushed without further calls. It does not mean that
// the peer has received it; see [Conn.Shutdown].
//
// Otherwise v was not queued and none of it reaches the peer. The Conn still works
// after
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
// SendBuffer waits until it is empty. However long that takes is up to ctx, as long as
// the peer lives: if, in named mode, twice Options.Heartbeat pass in which the kernel
// takes no byte and none comes from the peer, the Conn fails with [ErrPeerDead], received
// or not. Bytes that have come and that nobody has received count as a sign of life. (Over
// a net.Conn that is neither TCP nor Unix, plain or under TLS, it cannot be seen whether
// there are any; there only a receiver finds a dead peer.) v is not retained.
func (c *Conn[T]) Send(ctx context.Context, v T) error {
	return c.send(ctx, &v, nil, nil, nil)
}

// send is Send, or SendPrepared if m is not nil. It gives up once gone is closed, and
// encodes with the mutex encoding held; both may be nil.
func (c *Conn[T]) send(ctx context.Context, v *T, m *Prepared[T], gone <-chan struct{}, encoding *sync.Mutex) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	out := &c.link.Out
	if m != nil {
		return c.refused(out.SendFrame(ctx, gone, m.frame, m.size))
	}
	buf, err := out.Begin(ctx, gone)
	if err != nil {
		return c.refused(err)
	}
	if encoding != nil {
		encoding.Lock()
	}
	buf, unsure, err := safeEncode(c.settings.codec, c.enc, buf, v)
	if encoding != nil {
		encoding.Unlock()
	}
	if err != nil {
		return c.refused(out.Abort(err, unsure))
	}
	return c.refused(out.Commit(ctx, gone, buf))
}

// refused passes on what the outbox has returned for a message.
func (c *connCore) refused(err error) error {
	if err != nil {
		err = c.link.SendRefused(err)
	}
	return err
}

// TrySend is [Conn.Send] without waiting, for a message that is not worth a wait: a price of
// which the next one comes soon, or something for one of many. It reports whether v was sent.
//
// False without an error means that there was no room: as much as SendBuffer waits to be
// written, or v does not fit into what is left, or other Sends were there first. None of v reaches the
// peer then, and the Conn is as before. Nothing counts it; Stats.Dropped is for Groups. A message
// larger than SendBuffer is sent if the buffer is empty. The errors are those of Send.
//
// TrySend waits neither for the peer nor for the network, nor for a Send that does; only for an
// encoder that is at work on the same Conn. Where it ends the Conn, because a message is refused that an
// Encoder without Reset has encoded, it also waits for the Close of the net.Conn, in raw mode: for up to 100 ms
// if that is slow, which those of TCP, Unix sockets, net.Pipe and TLS over those are not. It finds no dead
// peer, however often there is no room: receive, or call Done, to learn of that.
//
// With a codec that keeps state, a message that was encoded and does not fit has a price: the
// encoder starts anew (Gob sends its types again), or v is sent beyond SendBuffer if its
// encoder has no Reset.
func (c *Conn[T]) TrySend(v T) (sent bool, err error) { return c.trySend(&v, nil) }

// trySend is TrySend, or TrySendPrepared if m is not nil.
func (c *Conn[T]) trySend(v *T, m *Prepared[T]) (sent bool, err error) {
	out := &c.link.Out
	if m != nil {
		sent, err = out.TrySendFrame(m.frame, m.size)
		return sent, c.refused(err)
	}
	buf, ok, err := out.TryBegin()
	if !ok {
		return false, c.refused(err)
	}
	buf, unsure, err := safeEncode(c.settings.codec, c.enc, buf, v)
	if err != nil {
		return false, c.refused(out.Abort(err, unsure))
	}
	sent, err = out.TryCommit(buf)
	return sent, c.refused(err)
}

// undo tells the encoder that its last payload is not sent, and reports
// whether what it encodes next can be decoded without that payload. It is called
// under the outbox's lock.
func (c *Conn[T]) undo() (ok bool) {
	if c.settings.stateless {
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
func (c *Conn[T]) Flush(ctx context.Context) error { return c.flush(ctx) }

func (c *connCore) flush(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return c.link.Out.FlushMessages(ctx)
}
