package model

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"iter"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// TestModelCatches runs programs on implementations that are broken in one way
// each. Of some hundred programs one at least must find that, and name the
// promise that was not kept.
func TestModelCatches(t *testing.T) {
	caught := map[string]bool{}
	for _, test := range []struct {
		name  string
		wants []string // the promises of which one was not kept, at least once each
		sabotage
	}{
		{"a frame is lost", []string{"no gaps", "clean end"}, sabotage{below: onFrames(func(i int, f [][]byte) [][]byte {
			if i == 2 {
				return nil
			}
			return f
		})}},
		{"a frame is sent twice", []string{"once"}, sabotage{below: onFrames(func(i int, f [][]byte) [][]byte {
			if i == 2 {
				return append(f, f...)
			}
			return f
		})}},
		{"frames change places", []string{"order"}, sabotage{below: onFrames(func(i int, f [][]byte) [][]byte {
			slices.Reverse(f)
			return f
		})}},
		{"a byte changes", []string{"no invention", "err"}, sabotage{below: onFrames(func(i int, f [][]byte) [][]byte {
			if n := len(f[0]); i == 2 && n > 4 {
				f[0][n-1] ^= 1
			}
			return f
		})}},
		{"the last bytes are lost at the end", []string{"err", "quiet"}, sabotage{below: func(nc net.Conn) net.Conn {
			return &forgetful{StreamConn: nc.(*qsockettest.StreamConn)}
		}}},
		{"nothing is written", []string{"handshake"}, sabotage{hello: true, below: func(nc net.Conn) net.Conn { return mute{nc} }}},
		{"an accepted message is said to be refused", []string{"refused", "send"}, sabotage{above: func(c conn) conn { return refusing{c} }}},
		{"Send accepts what it should refuse", []string{"send", "send after end", "send after goodbye", "stats"}, sabotage{above: func(c conn) conn { return accepting{c} }}},
		{"Send does not heed its ctx", []string{"bounds"}, sabotage{above: func(c conn) conn { return deaf{c} }}},
		{"Send waits for the end", []string{"room"}, sabotage{above: func(c conn) conn { return hesitant{c} }}},
		{"Recv swallows a message when its ctx ends", []string{"no gaps", "clean end", "confirmed"}, sabotage{above: func(c conn) conn { return &swallowing{conn: c} }}},
		{"Recv delivers again", []string{"once"}, sabotage{above: func(c conn) conn { return &repeating{conn: c} }}},
		{"Recv takes every end for a clean one", []string{"receive", "clean end"}, sabotage{above: func(c conn) conn { return trusting{c} }}},
		{"Close says twice that it has closed", []string{"close"}, sabotage{above: func(c conn) conn { return &complaining{conn: c} }}},
		{"Close waits for the peer", []string{"bounds"}, sabotage{above: func(c conn) conn { return slow{c} }}},
		{"Close does not unblock Recv", []string{"bounds"}, sabotage{above: func(c conn) conn { return &stubborn{conn: c} }}},
		{"Shutdown believes that all is well", []string{"confirmed", "shutdown"}, sabotage{above: func(c conn) conn { return credulous{c} }}},
		{"Shutdown trusts nobody", []string{"shutdown"}, sabotage{above: func(c conn) conn { return suspicious{c} }}},
		{"Flush does not wait", []string{"flush"}, sabotage{above: func(c conn) conn { return hasty{c} }}},
		{"Flush takes half a minute", []string{"termination"}, sabotage{above: func(c conn) conn { return lazy{c} }}},
		{"Err forgets", []string{"receive", "close", "lost"}, sabotage{above: func(c conn) conn { return silent{c} }}},
		{"Err makes a failure of a clean end", []string{"quiet"}, sabotage{above: func(c conn) conn { return gloomy{c} }}},
		{"Done comes too early", []string{"done"}, sabotage{above: func(c conn) conn { return eager{c} }}},
		{"Done never comes", []string{stuck}, sabotage{above: func(c conn) conn { return endless{c} }}},
		{"Stats count Sends that were refused", []string{"stats"}, sabotage{above: func(c conn) conn { return &boasting{conn: c} }}},
	} {
		t.Run(test.name, func(t *testing.T) {
			missing := map[string]bool{}
			for _, name := range test.wants {
				missing[name], caught[name] = true, true
			}
			const programsAtMost = 3000
			for i := 0; i < programsAtMost && len(missing) > 0; i++ {
				p := programs.Example(i)
				if test.hello {
					p.Named, p.Framing = true, qsocket.Uint32
				} else if test.below != nil { // which knows frames of raw mode only, with an end of file behind them
					p.Named, p.Framing = false, qsocket.Uint32
					p.Ends[1].Options.MaxFrame = p.Ends[0].Options.MaxFrame
				}
				h, err := attempt(t, &p, test.sabotage)
				if err != nil {
					if !slices.Contains(test.wants, stuck) {
						t.Fatalf("program %d: %v\n%v", i, err, &p)
					}
					delete(missing, stuck)
					continue
				}
				for _, b := range h.judge() {
					delete(missing, b.promise.name)
				}
			}
			for name := range missing {
				t.Errorf("in %d programs the promise %q was kept", programsAtMost, name)
			}
		})
	}
	for _, p := range promises {
		if !caught[p.name] {
			t.Errorf("nothing here breaks the promise %q", p.name)
		}
	}
}

// stuck stands for the bubble that says so, not for a promise.
const stuck = "stuck"

// framer hands what is written to its connection on in whole frames, changed by
// change. That gets the number of the frame and, of those written at once, the
// frame and all that follow it if it is the first.
type framer struct {
	*qsockettest.StreamConn
	change func(i int, frames [][]byte) [][]byte

	mu     sync.Mutex // guards following
	buf    []byte
	frames int
}

func onFrames(change func(i int, frames [][]byte) [][]byte) func(net.Conn) net.Conn {
	return func(nc net.Conn) net.Conn {
		return &framer{StreamConn: nc.(*qsockettest.StreamConn), change: change}
	}
}

func (c *framer) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.buf = append(c.buf, p...)
	var frames [][]byte
	for len(c.buf) >= 4 {
		n := 4 + int(binary.BigEndian.Uint32(c.buf))
		if len(c.buf) < n {
			break
		}
		frames = append(frames, slices.Clone(c.buf[:n]))
		c.buf = c.buf[n:]
	}
	if len(frames) == 0 {
		return len(p), nil
	}
	first := c.frames
	c.frames += len(frames)
	var changed [][]byte
	if len(frames) > 1 && first == 0 {
		changed = c.change(0, frames)
	} else {
		for i, f := range frames {
			changed = append(changed, c.change(first+i, [][]byte{f})...)
		}
	}
	if _, err := c.StreamConn.Write(slices.Concat(changed...)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// mute sends nothing.
type mute struct{ net.Conn }

func (mute) Write(p []byte) (int, error) { return len(p), nil }

// forgetful sends the last byte of what is written with the next Write, so the
// very last one never.
type forgetful struct {
	*qsockettest.StreamConn
	kept []byte // owned by the writer
}

func (c *forgetful) Write(p []byte) (int, error) {
	all := slices.Concat(c.kept, p)
	if _, err := c.StreamConn.Write(all[:len(all)-1]); err != nil {
		return 0, err
	}
	c.kept = all[len(all)-1:]
	return len(p), nil
}

type refusing struct{ conn }

func (c refusing) Send(ctx context.Context, m message) error {
	if err := c.conn.Send(ctx, m); err != nil || m.Seq != 1 {
		return err
	}
	return errors.New("refused")
}

type accepting struct{ conn }

func (c accepting) Send(ctx context.Context, m message) error {
	_ = c.conn.Send(ctx, m)
	return nil
}

type deaf struct{ conn }

func (c deaf) Send(_ context.Context, m message) error {
	return c.conn.Send(context.Background(), m)
}

type hesitant struct{ conn }

func (c hesitant) Send(ctx context.Context, m message) error {
	if m.Seq == 1 && ctx.Done() == nil {
		<-c.conn.Done()
	}
	return c.conn.Send(ctx, m)
}

type swallowing struct {
	conn
	mu sync.Mutex
	n  int
}

func (c *swallowing) Recv(ctx context.Context) (message, error) {
	m, err := c.conn.Recv(ctx)
	c.mu.Lock()
	c.n++
	n := c.n
	c.mu.Unlock()
	if err == nil && n == 2 && ctx.Done() != nil {
		<-ctx.Done()
		return message{}, ctx.Err()
	}
	return m, err
}

type repeating struct {
	conn
	mu   sync.Mutex
	last *message
}

func (c *repeating) Recv(ctx context.Context) (message, error) {
	c.mu.Lock()
	last := c.last
	c.last = nil
	c.mu.Unlock()
	if last != nil {
		return *last, nil
	}
	m, err := c.conn.Recv(ctx)
	if err == nil {
		c.mu.Lock()
		c.last = &m
		c.mu.Unlock()
	}
	return m, err
}

type trusting struct{ conn }

func (c trusting) Recv(ctx context.Context) (message, error) {
	m, err := c.conn.Recv(ctx)
	if err != nil && ctx.Err() == nil {
		err = io.EOF
	}
	return m, err
}

type complaining struct {
	conn
	mu     sync.Mutex
	closed bool
}

func (c *complaining) Close() error {
	c.mu.Lock()
	closed := c.closed
	c.closed = true
	c.mu.Unlock()
	if closed {
		return net.ErrClosed
	}
	return c.conn.Close()
}

type slow struct{ conn }

func (c slow) Close() error {
	err := c.conn.Close()
	<-c.conn.Done()
	time.Sleep(time.Millisecond)
	return err
}

// stubborn receives until the peer ends, whatever this end does.
type stubborn struct{ conn }

func (c *stubborn) Recv(ctx context.Context) (message, error) {
	m, err := c.conn.Recv(ctx)
	if errors.Is(err, net.ErrClosed) {
		<-c.conn.Done()
	}
	return m, err
}

type credulous struct{ conn }

func (c credulous) Shutdown(ctx context.Context) error {
	_ = c.conn.Shutdown(ctx)
	return nil
}

type suspicious struct{ conn }

func (c suspicious) Shutdown(ctx context.Context) error {
	if err := c.conn.Shutdown(ctx); err != nil {
		return err
	}
	return qsocket.ErrUnconfirmed
}

type hasty struct{ conn }

func (c hasty) Flush(context.Context) error { return nil }

type lazy struct{ conn }

func (c lazy) Flush(ctx context.Context) error {
	time.Sleep(30 * time.Second) // more than a run waits, less than it needs to be broken off
	return c.conn.Flush(ctx)
}

type silent struct{ conn }

func (c silent) Err() error { return nil }

type gloomy struct{ conn }

func (c gloomy) Err() error {
	if err := c.conn.Err(); err != nil {
		return err
	}
	return io.ErrUnexpectedEOF
}

type eager struct{ conn }

func (c eager) Done() <-chan struct{} {
	done := make(chan struct{})
	close(done)
	return done
}

// Messages is not closed by then, nor is it ever.
func (c eager) Messages() <-chan message { return make(chan message) }

func (c eager) All(ctx context.Context) iter.Seq2[message, error] { return c.conn.All(ctx) }

type endless struct{ conn }

func (c endless) Done() <-chan struct{} { return make(chan struct{}) }

type boasting struct {
	conn
	mu   sync.Mutex
	more uint64
}

func (c *boasting) Send(ctx context.Context, m message) error {
	err := c.conn.Send(ctx, m)
	if errors.Is(err, qsocket.ErrFrameTooLarge) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.more++
	}
	return err
}

func (c *boasting) Stats() qsocket.Stats {
	s := c.conn.Stats()
	c.mu.Lock()
	defer c.mu.Unlock()
	s.MessagesSent += c.more
	return s
}
