package link

import (
	"errors"
	"io"
	"sync"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/socket"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// An end of a named protocol that fails because of what its peer did, or for reasons of its
// own, tells the peer why. For its program the connection has ended all the same: Err, Done and
// the errors of every call come at once, and what is left to do is done in the background, by a
// farewell, which owns the socket from then on.
//
//	write    the frame that has begun ─► what was accepted, or nothing ─► a full goodbye ─► half-close ─┐
//	read     wait for the receiver to leave ─► discard what comes, unread ─► the peer's end ────────────┴─► close
//
//	a failed write, a failed read, CloseTimeout, too many of a Host's, the end of a Host ─► reset
//
// The two lines are two goroutines, and both end with the closing of the socket at the latest.
// Whichever comes to an end that leaves nothing to do closes it, once.
//
// A receiver that waits in a Read which nothing interrupts (see socket.Interruptible) stays
// there until the peer answers, or for CloseTimeout. Messages is closed, and Done fires, after that.
// Where a deadline has passed such a net.Conn may be at its end, so there is no farewell after one.

// Farewell is what a connection that has failed tells its peer.
type Farewell struct {
	Reason Reason
	Keep   bool // what was accepted before the failure is written before it
}

// farewell is the end of a socket whose connection has failed.
type farewell struct {
	l *Link

	mu      sync.Mutex  // guards following
	timer   *time.Timer // of CloseTimeout
	written bool        // the peer has been told, and the write side is closed
	over    bool        // the socket is closed, or about to be
}

// unansweredGrace is how long a farewell waits for the peer's end where there is no half-close:
// the peer, which has the goodbye by then, may wait for ours.
const unansweredGrace = time.Second

// bidFarewell begins a farewell because of err, if the peer can be told of it. Otherwise the
// caller closes the socket. It is called by teardown.
func (l *Link) bidFarewell(err error) bool {
	if err == nil || !l.Named() {
		return false
	}
	l.mu.Lock()
	deaf := l.state.closed || l.state.remote || l.state.recv == recvEnded
	l.mu.Unlock()
	words, ok := l.owner.Farewell(err)
	var timeout *wire.TimeoutError
	if deaf || !ok || !l.sock.Interruptible && errors.As(err, &timeout) {
		return false
	}
	g := wire.Goodbye{Full: true, Code: words.Reason.Code, Reason: words.Reason.Words}
	if !l.Out.Farewell(err, g, words.Keep) {
		return false
	}
	f := &farewell{l: l}
	if l.host != nil {
		l.host.Lingering.add(f) // it may be reset from here on
	}
	f.mu.Lock()
	f.timer = time.AfterFunc(l.owner.CloseTimeout(), f.reset) // a goroutine that ends with the call
	f.mu.Unlock()
	go f.write() // ends when all is written, a write has failed, or the socket is closed
	go f.read()  // ends with the peer's end, a failed read, or the closing of the socket
	return true
}

// write waits until the peer has been told, and closes the write side of the socket.
func (f *farewell) write() {
	if !f.l.Out.AwaitFarewell() {
		f.close(true)
		return
	}
	half := socket.Half(f.l.sock.Conn)
	if half != nil {
		_ = half.CloseWrite() // the peer has the goodbye, which says as much
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.written = true
	if half == nil && !f.over {
		f.timer.Reset(min(unansweredGrace, f.l.owner.CloseTimeout()))
	}
}

// read discards what comes until the peer's end.
func (f *farewell) read() {
	err := f.l.In.Discard()
	f.mu.Lock()
	written := f.written
	f.mu.Unlock()
	if !written && (err == nil || err == io.EOF) { // it may still be reading
		written = f.l.Out.AwaitFarewell()
	}
	f.close(!written)
}

// reset ends f at once. Where there is no half-close, and the peer has been told, that is
// how it is meant to end.
func (f *farewell) reset() {
	f.mu.Lock()
	ended := f.written && socket.Half(f.l.sock.Conn) == nil
	f.mu.Unlock()
	f.close(!ended)
}

// close closes the socket, with a reset or without. Only the first call does anything.
func (f *farewell) close(reset bool) {
	f.mu.Lock()
	over := f.over
	f.over = true
	if f.timer != nil {
		f.timer.Stop() // or it runs for nothing
	}
	f.mu.Unlock()
	if over {
		return
	}
	l := f.l
	socket.HardClose(l.sock.Conn, reset)
	l.Out.GiveUp(ErrClosed)
	if l.host != nil {
		l.host.Lingering.remove(f)
		l.host.Closed(l)
	}
}

// Host is what has made a connection for others: a Listener.
type Host struct {
	Ended  func(*Link) // both directions are over; called once, without locks held
	Closed func(*Link) // the socket is closed, which may be later; called once, without locks held

	Lingering Lingering
}

// Lingering are the farewells of a Host's connections, the oldest first. There are maxLingering
// at most: a peer that provokes failures must not make a server hold any number of sockets.
type Lingering struct {
	mu   sync.Mutex // guards following
	list []*farewell
	none chan struct{} // closed when there are none; nil if nobody waits
}

const maxLingering = 64

// add takes f in, and resets the oldest if there are too many.
func (g *Lingering) add(f *farewell) {
	g.mu.Lock()
	var oldest *farewell
	if len(g.list) >= maxLingering {
		oldest = g.list[0]
		g.removeLocked(oldest)
	}
	g.list = append(g.list, f)
	g.mu.Unlock()
	if oldest != nil {
		go oldest.close(true) // ends when the socket is closed, which may wait for a net.Conn of any kind
	}
}

func (g *Lingering) remove(f *farewell) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.removeLocked(f)
}

func (g *Lingering) removeLocked(f *farewell) {
	for i, other := range g.list {
		if other == f {
			copy(g.list[i:], g.list[i+1:])
			g.list[len(g.list)-1] = nil
			g.list = g.list[:len(g.list)-1]
			break
		}
	}
	if len(g.list) == 0 && g.none != nil {
		close(g.none)
		g.none = nil
	}
}

// Reset resets all of them.
func (g *Lingering) Reset() {
	g.mu.Lock()
	list := g.list
	g.list = nil
	g.mu.Unlock()
	var all sync.WaitGroup
	for _, f := range list {
		all.Go(func() { f.close(true) })
	}
	all.Wait()
}

// None returns a channel that is closed when no farewell is left, or nil if there is none now.
func (g *Lingering) None() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.list) == 0 {
		return nil
	}
	if g.none == nil {
		g.none = make(chan struct{})
	}
	return g.none
}
