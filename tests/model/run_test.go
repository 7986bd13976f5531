package model

import (
	"context"
	"fmt"
	"iter"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// conn is what a run uses of a Conn, so that a test can put a broken one in its
// place.
type conn interface {
	Send(ctx context.Context, m message) error
	Flush(ctx context.Context) error
	Messages() <-chan message
	Recv(ctx context.Context) (message, error)
	All(ctx context.Context) iter.Seq2[message, error]
	CloseWrite() error
	Close() error
	CloseWithReason(reason string) error
	Shutdown(ctx context.Context) error
	Done() <-chan struct{}
	Err() error
	Stats() qsocket.Stats
	NetConn() net.Conn
}

// sabotage breaks what it is told to. A nil func changes nothing.
type sabotage struct {
	hello bool                    // it is about named mode
	below func(net.Conn) net.Conn // of both ends
	above func(conn) conn
}

// runInBubble runs the program in virtual time, over streams in memory. It
// returns an error if goroutines are left in the bubble, or nothing in it can
// ever go on.
func runInBubble(t *testing.T, p *program, s sabotage) (h *history, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("bubble: %v", r)
			if h != nil && len(h.hang) > 0 {
				err = fmt.Errorf("%w; under way: %q", err, h.hang)
			}
		}
	}()
	synctest.Test(t, func(*testing.T) {
		proxy := qsockettest.NewProxy(p.Weather.Seed, p.Weather.Up, p.Weather.Down)
		defer proxy.Close()
		a, b := proxy.Pipe()
		r := newRun(p, proxy, s)
		r.history.timed = true
		h = r.history
		r.run([2]net.Conn{a, b})
	})
	return h, nil
}

// run is a program at work.
type run struct {
	program  *program
	history  *history
	proxy    *qsockettest.Proxy
	sabotage sabotage
	conns    [2]conn // nil where the handshake has failed
	actors   sync.WaitGroup
	finales  sync.WaitGroup
}

func newRun(p *program, proxy *qsockettest.Proxy, s sabotage) *run {
	h := &history{program: p, start: time.Now()}
	for i := range h.sides {
		h.sides[i] = &side{history: h, index: i, attempted: map[id]*call{}}
	}
	return &run{program: p, history: h, proxy: proxy, sabotage: s}
}

// giveUp is far above every bound of a program.
const giveUp = 20 * time.Second

// run runs the program over the two ends of a connection through the proxy.
func (r *run) run(ends [2]net.Conn) {
	over, stop := context.WithCancel(context.Background())
	defer stop()
	weather := make(chan struct{})
	go func() { // ends with the last event, or with the run
		defer close(weather)
		r.makeWeather(over)
	}()
	r.connect(ends)
	for i, c := range r.conns {
		if c == nil {
			continue
		}
		for j, steps := range r.program.Ends[i].Actors {
			r.actors.Go(func() { // ends with its steps; whatever blocks one of them is ended by the finale
				a := &actor{side: r.history.sides[i], conn: c, index: j}
				for _, s := range steps {
					a.do(s)
				}
			})
		}
	}
	if !waitFor(&r.actors, patience) && r.history.timed {
		synctest.Wait()
		r.lookForIdle()
	}
	for i, c := range r.conns {
		if c != nil {
			r.finales.Go(func() { r.finale(r.history.sides[i], c) }) // ends by CloseTimeout
		}
	}
	if !waitFor(&r.finales, giveUp) || !waitFor(&r.actors, giveUp) {
		r.abandon(ends)
	}
	stop()
	<-weather
	for i, c := range r.conns {
		if s := r.history.sides[i]; c != nil {
			s.err, s.stats = c.Err(), c.Stats()
		}
	}
}

// lookForIdle notes Sends that wait although there is room.
func (r *run) lookForIdle() {
	for i, c := range r.conns {
		if c == nil || c.Stats().SendBuffered > 0 {
			continue
		}
		s := r.history.sides[i]
		s.mu.Lock()
		for _, call := range s.calls {
			if call.op == send && !call.ended.happened() {
				s.idle = append(s.idle, call)
			}
		}
		s.mu.Unlock()
	}
}

// waitFor reports whether the group was through in that time.
func waitFor(g *sync.WaitGroup, within time.Duration) bool {
	through := make(chan struct{})
	go func() { g.Wait(); close(through) }() // ends with the group, which abandon ends
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-through:
		return true
	case <-timer.C:
		return false
	}
}

// abandon notes what hangs, and breaks it.
func (r *run) abandon(ends [2]net.Conn) {
	for _, s := range r.history.sides {
		s.mu.Lock()
		for _, c := range s.calls {
			if !c.ended.happened() {
				r.history.hang = append(r.history.hang, s.name()+": "+c.String())
			}
		}
		s.mu.Unlock()
	}
	if len(r.history.hang) == 0 {
		r.history.hang = append(r.history.hang, "Done has not come")
	}
	for i, nc := range ends {
		_ = nc.Close()
		if c := r.conns[i]; c != nil {
			go c.Close() // ends with the run, or the bubble says that it does not
		}
	}
	waitFor(&r.finales, giveUp)
	waitFor(&r.actors, giveUp)
}

func (r *run) makeWeather(over context.Context) {
	for _, e := range r.program.Weather.Events {
		timer := time.NewTimer(time.Until(r.history.start.Add(e.At)))
		select {
		case <-timer.C:
		case <-over.Done():
			timer.Stop()
			return
		}
		r.proxy.Set(e.Up, e.Down)
		if e.Cut != qsockettest.NoCut {
			r.proxy.Cut(e.Cut)
		}
	}
}

// connect makes the Conns.
func (r *run) connect(ends [2]net.Conn) {
	var both sync.WaitGroup
	for i, nc := range ends {
		if r.sabotage.below != nil {
			nc = r.sabotage.below(nc)
		}
		both.Go(func() { // ends by HandshakeTimeout
			s := r.history.sides[i]
			c, err := qsocket.NewConn(context.Background(), nc, r.program.protocol(), s.options())
			s.dial, s.dialed = err, r.history.mark()
			if err != nil {
				return
			}
			r.conns[i] = c
			if r.sabotage.above != nil {
				r.conns[i] = r.sabotage.above(c)
			}
		})
	}
	both.Wait()
}

// finale ends an end and takes what is left.
func (r *run) finale(s *side, c conn) {
	f := r.program.Ends[s.index].Finale
	a := &actor{side: s, conn: c, index: finaleActor}
	if f.Op != closing {
		a.do(step{Op: f.Op, Count: 1 << 30, Bound: f.Bound})
	}
	a.do(step{Op: closing})
	a.do(step{Op: recv, Count: 1 << 30, Bound: unbounded})
	<-c.Done()
	s.done = r.history.mark()
	r.actors.Wait() // an actor may have a message in hand
	for {
		select {
		case m, ok := <-c.Messages():
			if !ok {
				return
			}
			_ = s.receive(s.begin(finaleActor, channel, unbounded), m, nil)
		default:
			s.open = true
			return
		}
	}
}

// actor is a goroutine of an end.
type actor struct {
	side  *side
	conn  conn
	index int
	seq   int // of its next message
}

// within returns the ctx of a call.
func within(bound time.Duration) (context.Context, context.CancelFunc) {
	switch bound {
	case unbounded:
		return context.Background(), func() {}
	case 0:
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		return ctx, cancel
	}
	return context.WithTimeout(context.Background(), bound)
}

func (a *actor) do(s step) {
	switch s.Op {
	case send:
		for range s.Count {
			a.send(s)
		}
	case recv, channel, all:
		a.receive(s)
	case flush:
		ctx, cancel := within(s.Bound)
		defer cancel()
		c := a.side.begin(a.index, flush, s.Bound)
		_ = a.side.end(c, a.conn.Flush(ctx))
		c.stats, c.looked = a.conn.Stats(), a.side.history.mark()
	case closeWrite:
		_ = a.side.end(a.side.begin(a.index, closeWrite, unbounded), a.conn.CloseWrite())
	case closing:
		_ = a.side.end(a.side.begin(a.index, closing, unbounded), a.conn.Close())
	case closeWhy:
		_ = a.side.end(a.side.begin(a.index, closeWhy, unbounded), a.conn.CloseWithReason(a.reason()))
	case shutdown:
		ctx, cancel := within(s.Bound)
		defer cancel()
		_ = a.side.end(a.side.begin(a.index, shutdown, s.Bound), a.conn.Shutdown(ctx))
	case watch:
		a.conn.Done()
	case pause:
		time.Sleep(s.Pause)
	default:
		panic("no such op: " + string(s.Op))
	}
}

// reason is what the actor gives as its reason.
func (a *actor) reason() string { return fmt.Sprintf("reason of %s%d", a.side.name(), a.index) }

func (a *actor) send(s step) {
	ctx, cancel := within(s.Bound)
	defer cancel()
	m := newMessage(a.index, a.seq, s.Size)
	a.seq++
	c := a.side.begin(a.index, send, s.Bound)
	c.id, c.size = m.id(), s.Size
	a.side.mu.Lock()
	a.side.attempted[c.id] = c
	a.side.mu.Unlock()
	_ = a.side.end(c, a.conn.Send(ctx, m))
}

// receive receives Count messages in the way of the step, or as many as come.
// The step's ctx is for all of them.
func (a *actor) receive(s step) {
	ctx, cancel := within(s.Bound)
	defer cancel()
	due := time.Since(a.side.history.start) + s.Bound
	begin := func() *call {
		c := a.side.begin(a.index, s.Op, s.Bound)
		if s.Bound != unbounded {
			c.due = due
		}
		return c
	}
	switch s.Op {
	case recv:
		for range s.Count {
			c := begin()
			m, err := a.conn.Recv(ctx)
			if a.side.receive(c, m, err) != nil {
				return
			}
		}
	case channel:
		for range s.Count {
			c := begin()
			select {
			case m, ok := <-a.conn.Messages():
				if !ok {
					_ = a.side.end(c, errChannelClosed)
					return
				}
				_ = a.side.receive(c, m, nil)
			case <-ctx.Done():
				_ = a.side.end(c, ctx.Err())
				return
			}
		}
	case all:
		left := s.Count
		c := begin()
		for m, err := range a.conn.All(ctx) {
			if a.side.receive(c, m, err) != nil {
				return
			}
			if left--; left == 0 {
				return
			}
			c = begin()
		}
		_ = a.side.end(c, errSilentEnd)
	}
}
