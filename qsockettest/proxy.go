package qsockettest

import (
	"context"
	"net"
	"sync"
)

// Proxy connects stream ends and does to their bytes what its [Faults] say. It
// may carry any number of connections, all with the same Faults. Its methods
// are safe for concurrent use.
//
//   - Pipe makes a connection in memory, with the Proxy between its ends.
//   - Through dials as another function does, for Options.DialContext.
//   - Listen forwards TCP connections to the address of a server; Forward does it for
//     any listener.
//   - Between connects two ends that are there already.
//
// A Proxy that is made in a bubble of testing/synctest, and closed there, works
// in the bubble's time: with Pipe, and in a [Network], every delay is exact.
//
// What is random is drawn from the seed, anew for each direction of each
// connection, in the order in which these are made. The same bytes are split
// and flipped at the same offsets. Jitter depends on the offset at which a piece
// starts, so it is the same if the bytes come at the same times, as they do in
// a bubble.
//
// Where no fault says otherwise, the ends notice nothing of the Proxy: an end
// of file is passed on as a half-close, and a reset as a reset, each after the
// bytes before it. If one end can no longer be written to, the other is reset.
// An end that has no CloseWrite is closed instead.
//
// Besides the piece that is being written, up to 64 KiB of a direction wait in
// the Proxy, and up to 1 MiB with Latency, Jitter or Merge. So with a latency of 1 s
// no more than 1 MiB passes per second, as on a TCP connection with such a
// window. The buffers of the ends come on top: with Pipe 64 KiB at either
// side of the Proxy.
//
// The reader of a StreamConn gets each piece with a Read of its own. The kernel may
// put pieces together again, unless there is time between them.
type Proxy struct {
	seed    uint64
	ctx     context.Context // of dials; ends with Close
	cancel  context.CancelFunc
	running sync.WaitGroup // every goroutine of the Proxy

	mu        sync.Mutex // guards following
	closed    bool
	up, down  Faults
	made      uint64 // connections so far
	sessions  map[*session]struct{}
	listeners []net.Listener
}

// NewProxy returns a Proxy. up are the faults of the direction from the first
// end to the second: from a to b, from client to server. down are those of the
// way back.
//
// Call Close when done: t.Cleanup(p.Close).
func NewProxy(seed uint64, up, down Faults) *Proxy {
	ctx, cancel := context.WithCancel(context.Background())
	return &Proxy{
		seed: seed, ctx: ctx, cancel: cancel,
		up: up.sane(), down: down.sane(),
		sessions: make(map[*session]struct{}),
	}
}

// Set changes the faults of all connections, those that come later included.
// Bytes that have not been delivered yet are subject to the new ones.
func (p *Proxy) Set(up, down Faults) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.up, p.down = up.sane(), down.sane()
	for s := range p.sessions {
		s.set(p.up, p.down)
	}
}

// Cut cuts all connections that there are now. One that has been cut already
// can still be cut by RST.
func (p *Proxy) Cut(how Cut) {
	p.mu.Lock()
	var sessions []*session
	for s := range p.sessions {
		sessions = append(sessions, s)
	}
	p.mu.Unlock()
	for _, s := range sessions {
		s.cut(how)
	}
}

// Pipe returns the two ends of a connection in memory (see [NetPipe]) that
// leads through the Proxy.
func (p *Proxy) Pipe() (a, b *StreamConn) {
	a, pa := NetPipe()
	pb, b := NetPipe()
	p.Between(pa, pb)
	return a, b
}

// Between passes on bytes between a and b. It owns both from now on and closes them
// when the connection is over, or at once if the Proxy has been closed. Both must
// support read deadlines.
func (p *Proxy) Between(a, b net.Conn) {
	p.start(p.number(), a, b)
}

// number numbers the connections.
func (p *Proxy) number() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.made++
	return p.made
}

func (p *Proxy) start(number uint64, a, b net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		reset(a)
		reset(b)
		return
	}
	s := newSession(p.seed, number, a, b)
	s.set(p.up, p.down)
	p.sessions[s] = struct{}{}
	p.running.Go(func() { // ends when the connection is over
		s.run()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.sessions, s)
	})
}

// Close resets all connections and stops listening. When it returns, every
// goroutine of the Proxy has ended.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	for _, ln := range p.listeners {
		_ = ln.Close() // nothing to be done about it
	}
	p.mu.Unlock()
	p.cancel()
	p.Cut(RST)
	p.running.Wait()
}
