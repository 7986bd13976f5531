package qsocket

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/backlog"
	"github.com/fb9bb4ed/qsocket/internal/link"
)

// Messages returns the channel on which messages arrive, always the same one.
// The first call starts the reader goroutine, which reads ahead by
// Options.RecvQueue messages, or as many as Options.DecodedBuffer has memory for, and
// then leaves the rest to the network's flow control. It ends with the Conn, or in raw mode when it has delivered the last
// message.
//
// The channel is closed when no more messages will come; Err then says why.
// What arrives is a prefix of what the peer sent: in order, without gaps or
// duplicates. After our own Close the messages queued so far can still be
// received.
//
// A loop over the channel knows no ctx: it ends with the Conn. (The end of the ctx given to
// Serve closes the Conns of its handlers, and so ends their loops.) For a loop that ends with a
// ctx use [Conn.All], or select on ctx.Done as well.
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
// crypto/tls then waits to send an alert. Over a WebSocket it ends the Conn, see NewConn.)
func (c *Conn[T]) Recv(ctx context.Context) (v T, err error) {
	if err = ctx.Err(); err != nil {
		return v, err
	}
	switch {
	case c.queued.Load():
		err = c.recvQueued(ctx, &v)
	case c.link.In.TryLock():
		err = c.pull(ctx, &v)
	default:
		err = c.recvInTurn(ctx, &v)
	}
	return v, err
}

// recvInTurn is Recv while another receiver is at work: it waits for the inbox's lock, or
// for the reader goroutine to be started, whichever comes first.
//
// Neither this nor the other functions that Recv calls return the message: each would
// copy it, and have two of them on the stack of a goroutine that waits.
func (c *Conn[T]) recvInTurn(ctx context.Context, v *T) error {
	in := &c.link.In
	started := c.readerStarted()
	in.AddWaiter()
	for !c.queued.Load() {
		if in.TryLock() {
			in.RemoveWaiter()
			return c.pull(ctx, v)
		}
		select {
		case <-in.Wake():
		case <-started:
		case <-ctx.Done():
			in.RemoveWaiter()
			return ctx.Err()
		}
	}
	in.RemoveWaiter()
	return c.recvQueued(ctx, v)
}

// pull is Recv with the inbox's lock, which it unlocks.
func (c *Conn[T]) pull(ctx context.Context, v *T) error {
	in := &c.link.In
	if c.queued.Load() { // the reader goroutine waits for the lock, or has come and gone
		in.Unlock()
		return c.recvQueued(ctx, v)
	}
	payload, err := in.Next(ctx)
	for err == nil {
		if err = c.decode(payload); err == nil {
			if session := c.session.Load(); session != nil {
				session.onMessage(len(payload))
			}
			in.Release()
			var zero T
			*v = c.next
			c.next = zero
			break
		}
		if err != errSkipped {
			in.Fail(err)
			break
		}
		if err = ctx.Err(); err == nil { // a stream of such messages does not keep the caller
			payload, err = in.Next(ctx)
		}
	}
	if err != nil {
		err = c.link.EndReceiving(ctx, err)
	}
	in.Unlock()
	return err
}

// pullEach is pull for the pump of a session, with the inbox's lock, which it unlocks: it goes on while take, which is
// called for each message in next, returns true, and no reader goroutine was started.
func (c *Conn[T]) pullEach(session *attachment, take func() bool) error {
	ctx := context.Background()
	in := &c.link.In
	session.pull(true)
	defer in.Unlock()
	defer session.pull(false)
	for {
		if c.queued.Load() {
			session.onWait()
			return nil
		}
		payload, ok, err := in.Cut()
		if !ok && err == nil {
			session.onWait()
			payload, err = in.Next(ctx)
		}
		if err == nil {
			if err = c.decode(payload); err == errSkipped {
				continue
			} else if err != nil {
				in.Fail(err)
			}
		}
		if err != nil {
			return c.link.EndReceiving(ctx, err)
		}
		session.onMessage(len(payload))
		in.Release()
		if !take() {
			return nil
		}
	}
}

// inputReady reports whether more messages can be received without waiting for
// the socket. It is a hint.
func (c *Conn[T]) inputReady() bool {
	return c.link.In.Filled() || c.queued.Load() && len(c.messages) > 0
}

// recvQueued takes the next message from the reader goroutine.
func (c *Conn[T]) recvQueued(ctx context.Context, v *T) error {
	var ok bool
	select {
	case *v, ok = <-c.messages:
		if !ok {
			return c.link.EndError()
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// All returns an iterator over the messages, for a loop that ends with the Conn or with ctx:
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
// the last pair. If that is ctx's, the Conn is as before, and another loop goes on where this
// one has ended. A loop over Messages does not end with a ctx.
func (c *Conn[T]) All(ctx context.Context) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			v, err := c.Recv(ctx)
			switch {
			case err == nil:
				if !yield(v, nil) {
					return
				}
			case err == io.EOF, errors.Is(err, link.ErrClosed) && c.Err() == nil:
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
	c.readerMu.Lock()
	defer c.readerMu.Unlock()
	if c.messages != nil {
		return
	}
	if c.link.ReaderStarts() {
		c.messages = make(chan T, c.settings.RecvQueue)
		c.backlog = c.settings.newBacklog(c.dec)
		go c.read() // ends when the link stops receivers, or with the last message; closes messages
	} else { // nothing more will come, and Done is closed
		c.messages = make(chan T)
		close(c.messages)
	}
	c.queued.Store(true)
	c.started.FireLocked()
}

// newBacklog returns that of a queue of messages which the Decoder dec makes.
func (set *settings) newBacklog(dec any) *backlog.Backlog {
	b := backlog.New(set.DecodedBuffer, set.RecvQueue)
	factor, free := maxDecoded(dec)
	b.Small = max(b.Share()-free, 0) / factor
	return b
}

// readerStarted returns the channel that is closed once startReader has been called, so
// that callers of Recv which wait for the inbox's lock turn to the channel instead.
func (c *connCore) readerStarted() <-chan struct{} {
	c.readerMu.Lock()
	defer c.readerMu.Unlock()
	return c.started.WaitLocked()
}

// read is the reader goroutine. It takes over from the callers of Recv, keeps
// the inbox's lock for good, and ends when there is nothing more to receive or when
// the link stops receivers. On exit it closes Messages, and fires Done if it is the
// last.
func (c *Conn[T]) read() {
	c.link.In.Lock()
	c.deliver()
	close(c.messages)
	if c.link.Named() {
		dropped := c.backlog.Holding
		if dropped {
			var zero T
			c.next, c.backlog.Holding = zero, false
		}
		c.link.DrainControl(dropped)
	}
	c.link.In.Unlock()
	c.link.ReaderDone()
}

// deliver puts messages into the channel until there are no more, or the link stops
// receivers. Where the channel, or the memory of what is in it, has no space it waits here
// for the consumer, outside the inbox: Pump itself only waits for the socket.
func (c *Conn[T]) deliver() {
	if c.session.Load() != nil { // whose end is under way: it wants no more messages, and they are not to be confirmed
		return
	}
	stop := c.link.Stopped()
	drain := c.drain // bound once: each binding is an allocation
	for {
		if err := c.link.In.Pump(drain); err != nil {
			_ = c.link.EndReceiving(context.Background(), err) // Err has it
			return
		}
		if !c.awaitSpace(stop) {
			return
		}
		b := c.backlog
		if !b.Holding {
			continue
		}
		if b.On() || b.Held > b.Share() {
			b.Put(b.Held, len(c.messages))
		}
		select {
		case c.messages <- c.next:
			var zero T
			c.next, b.Holding = zero, false
		case <-stop:
			return
		}
	}
}

// awaitSpace waits until the messages in the channel leave memory for the one that is
// held, or for another one. Go tells nobody that a message was taken from a channel, so it
// lets the consumer run, and then looks from time to time. It returns false if stop is closed first.
func (c *Conn[T]) awaitSpace(stop <-chan struct{}) bool {
	if c.hasSpace() || c.backlog.Yield(c.hasSpace) {
		return true
	}
	start := time.Now()
	timer := time.NewTimer(backlog.Pause(0))
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-stop:
			return false
		}
		if c.hasSpace() {
			return true
		}
		timer.Reset(backlog.Pause(time.Since(start)))
	}
}

func (c *Conn[T]) hasSpace() bool {
	b := c.backlog
	switch {
	case b.Holding && (b.On() || b.Held > b.Share()):
		return b.Fits(b.Held, len(c.messages))
	case b.On():
		return !b.Full(len(c.messages))
	}
	return true
}

// drain decodes and delivers what is in the inbox without waiting. It reports
// false if there is no space for the next message, which then may stay in next (Holding),
// or if the inbox has an error or cannot go on here; see Pump.
func (c *Conn[T]) drain() (ready bool) {
	var zero T
	b := c.backlog
	for !b.Holding {
		if b.On() && b.Full(len(c.messages)) {
			return false
		}
		payload, ok, err := c.link.In.Cut()
		if err != nil {
			return false
		}
		if !ok {
			return true
		}
		if err := c.decode(payload); err == errSkipped {
			continue
		} else if err != nil {
			c.link.In.Fail(err)
			return false
		}
		if b.On() || len(payload) > b.Small {
			b.Holding = !c.putMeasured(len(payload))
			continue
		}
		select { // one case and a default is cheaper than two cases
		case c.messages <- c.next:
			c.next = zero
		default:
			b.Held, b.Holding = b.Share(), true
		}
	}
	return false
}

// putMeasured puts next, which was decoded from a payload of n bytes, into the channel and
// accounts for it. It reports false if there is no space.
func (c *Conn[T]) putMeasured(n int) bool {
	b := c.backlog
	b.Held = b.Share()
	if n > b.Small {
		b.Held = decodedSize(c.dec, &c.next, n, c.settings.DecodedBuffer)
	}
	waiting := len(c.messages)
	if !b.Fits(b.Held, waiting) {
		return false
	}
	select {
	case c.messages <- c.next:
		b.Put(b.Held, waiting)
		var zero T
		c.next = zero
		return true
	default:
		return false
	}
}

// errSkipped is what decode returns for a message that is dropped.
var errSkipped = errors.New("qsocket: a message of an unknown case")

// skipped returns errSkipped for the error of a Decoder that says so, and others as they are.
func (c *connCore) skipped(err error, size int) error {
	skip := asSkippedCase(err)
	if skip == nil {
		return err
	}
	c.link.CountUnknown(skip.tag)
	if s := c.session.Load(); s != nil {
		s.onSkip(size)
	}
	return errSkipped
}

// decode decodes payload to next, and makes a *CodecError of an error or a panic of the
// codec. A message that SkipUnknown drops is errSkipped.
func (c *Conn[T]) decode(payload []byte) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = panicked(r)
		}
		if err != nil {
			var zero T
			c.next = zero
			if err = c.skipped(err, len(payload)); err != errSkipped {
				err = codecError("decode", c.settings.codec, err)
			}
		}
	}()
	if c.into != nil {
		return c.into.decodeInto(payload, &c.next)
	}
	c.next, err = c.dec.Decode(payload)
	return err
}
