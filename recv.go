package qsocket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
)

// Messages returns the channel on which messages arrive, always the same one.
// The first call starts the reader goroutine, which reads ahead by
// Options.RecvQueue messages and then leaves the rest to the network's flow
// control. It ends with the Conn, or in raw mode when it has delivered the last
// message.
//
// The channel is closed when no more messages will come; Err then says why.
// What arrives is a prefix of what the peer sent: in order, without gaps or
// duplicates. After our own Close the messages queued so far can still be
// received.
func (c *Conn[T]) Messages() <-chan T {
	if !c.queued.Load() {
		c.startReader()
	}
	return c.messages
}

// Recv returns the next message. Until Messages or Done is called, it reads
// and decodes on the caller's goroutine; afterwards it takes from the channel.
//
// After our own Close it returns what has been queued before. When there are no
// more messages it returns io.EOF if the peer ended cleanly,
// an error that wraps net.ErrClosed if this end closed first, and otherwise
// Err(). When ctx ends it returns ctx's error, and the Conn and the message
// that may be on its way are as before. (Under TLS that can take until
// WriteTimeout or Close, if the peer neither reads nor keeps to the protocol:
// crypto/tls then waits to send an alert.)
func (c *Conn[T]) Recv(ctx context.Context) (v T, err error) {
	if err = ctx.Err(); err != nil {
		return v, err
	}
	if c.queued.Load() || !c.in.token.tryLock() {
		err = c.recvInTurn(ctx, &v)
	} else {
		err = c.pull(ctx, &v)
	}
	return v, err
}

// recvInTurn is Recv beside another receiver.
//
// This and what else Recv calls does not return the message: each function would
// copy it, and have two of them on the stack of a goroutine that waits.
func (c *Conn[T]) recvInTurn(ctx context.Context, v *T) error {
	started := c.wait(&c.started)
	c.in.token.ask()
	for !c.queued.Load() {
		if c.in.token.tryLock() {
			c.in.token.leave()
			return c.pull(ctx, v)
		}
		select {
		case <-c.in.token.wake:
		case <-started:
		case <-ctx.Done():
			c.in.token.leave()
			return ctx.Err()
		}
	}
	c.in.token.leave()
	return c.recvQueued(ctx, v)
}

// pull is Recv with the token, which it gives back.
func (c *Conn[T]) pull(ctx context.Context, v *T) error {
	if c.queued.Load() { // the reader goroutine waits for the token, or has come and gone
		c.in.token.unlock()
		return c.recvQueued(ctx, v)
	}
	payload, err := c.in.next(ctx)
	if err == nil {
		if err = c.decode(payload); err == nil {
			var zero T
			*v = c.next
			c.next = zero
		} else {
			c.in.err = err
		}
	}
	if err != nil {
		err = c.endReceiving(ctx, err)
	}
	c.in.token.unlock()
	return err
}

// inputAtHand reports whether more messages can be received without waiting for
// the socket. It is a hint.
func (c *Conn[T]) inputAtHand() bool {
	if c.in.buffered.Load() {
		return true
	}
	return c.queued.Load() && len(c.messages) > 0
}

// recvQueued takes the next message from the reader goroutine.
func (c *Conn[T]) recvQueued(ctx context.Context, v *T) error {
	var ok bool
	select {
	case *v, ok = <-c.messages:
		if !ok {
			return c.endError()
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// endReceiving deals with the error of a receiver and returns what to tell its
// caller. All errors but ctx's end receiving; the first one ends more than that
// unless it is the peer's clean end.
func (c *Conn[T]) endReceiving(ctx context.Context, err error) error {
	switch {
	case err == ctx.Err():
		return err
	case err == errStopped:
		if err := ctx.Err(); err != nil { // that was perhaps what stopped it, see cover
			return err
		}
	case err == errGoodbye:
		c.attend() // from here on there are only control frames to read
	case err == io.EOF && c.named():
		c.fail(errNoGoodbye)
	case err == io.EOF:
		if err := c.settle(ctx); err != nil {
			return err // io.EOF is kept for the next call
		}
		c.receivedAll()
	default:
		c.fail(err)
	}
	return c.endError()
}

// All returns an iterator over the messages, for a loop without a channel:
//
//	for v, err := range conn.All(ctx) {
//		if err != nil {
//			return err
//		}
//		…
//	}
//
// It calls Recv until that fails. A clean end, by the peer or by our own
// Close, ends the loop without an error; every other error is yielded once, as
// the last pair.
func (c *Conn[T]) All(ctx context.Context) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			v, err := c.Recv(ctx)
			switch {
			case err == nil:
				if !yield(v, nil) {
					return
				}
			case err == io.EOF, errors.Is(err, errClosed) && c.Err() == nil:
				return
			default:
				yield(v, err)
				return
			}
		}
	}
}

// startReader starts the reader goroutine on its first call.
func (c *Conn[T]) startReader() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.messages != nil {
		return
	}
	defer c.started.fireLocked()
	defer c.queued.Store(true)
	if c.released { // nothing more will come, and done is closed
		c.messages = make(chan T)
		close(c.messages)
		return
	}
	c.messages = make(chan T, c.opts.RecvQueue)
	c.reading = true
	go c.read()
}

// read is the reader goroutine. It takes over from the callers of Recv, keeps
// the token for good, and ends when there is nothing more to receive or when
// recvStop fires. On exit it closes Messages, and fires done if it is the last.
func (c *Conn[T]) read() {
	c.in.token.lock()
	c.deliver()
	close(c.messages)
	if c.named() {
		c.seeOff()
	}
	c.in.token.unlock()
	c.readerGone()
}

func (c *Conn[T]) deliver() {
	ctx, stop := context.Background(), c.wait(&c.recvStop)
	c.in.handOn = c.handOn
	defer func() { c.in.handOn = nil }()
	for {
		if c.handOn() {
			if err := c.in.fill(ctx); err != nil {
				c.endReceiving(ctx, err)
				return
			}
			continue
		}
		if !c.holding {
			c.endReceiving(ctx, c.in.err)
			return
		}
		c.in.publish()
		select {
		case c.messages <- c.next:
			var zero T
			c.next, c.holding = zero, false
		case <-stop:
			return
		}
	}
}

// handOn decodes and delivers what is in the inbox without waiting. It reports
// false if there is no room for the next message, which is then held, or an
// error, which is in the inbox, or inside readRaw a control frame.
func (c *Conn[T]) handOn() (all bool) {
	var zero T
	for !c.holding && c.in.err == nil {
		payload, ok, err := c.in.cut()
		if err == nil && ok {
			err = c.decode(payload)
		}
		switch {
		case err == errInside:
			return false
		case err != nil:
			c.in.err = err
			return false
		case !ok:
			return true
		}
		select { // one case and a default is cheaper than two cases
		case c.messages <- c.next:
			c.next = zero
		default:
			c.holding = true
		}
	}
	return false
}

// decode decodes payload to next, and turns whatever goes wrong in it into a
// *CodecError.
func (c *Conn[T]) decode(payload []byte) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
		if err != nil {
			var zero T
			c.next = zero
			err = codecError("decode", c.codecName, err)
		}
	}()
	if c.into != nil {
		return c.into.decodeInto(payload, &c.next)
	}
	c.next, err = c.dec.Decode(payload)
	return err
}
