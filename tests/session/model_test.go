package session

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

var (
	programs    = flag.Int("session.programs", 500, "how many random programs TestSession32Model runs")
	programSeed = flag.Uint64("session.seed", 0, "the seed of the first one")
)

// The model of a session is two queues. Random programs send, receive, close in all ways, and break connections, take them over,
// hold them up and restart the server meanwhile; afterwards what each end has received, and what it says of what it has
// sent, has to be what the promises allow:
//
//  1. what an end has received are the first messages that the other has sent, each once and in order;
//  2. after a clean end of both, all of them;
//  3. what an end says was taken was received, and what it says was never written was not;
//  4. Unacknowledged are exactly those that it does not say were taken;
//  5. Shutdown and Sync that return nil were right;
//  6. what Send has refused never arrives.
func TestSession32Model(t *testing.T) {
	for i := range *programs {
		seed := *programSeed + uint64(i)
		synctest.Test(t, func(t *testing.T) { newProgram(t, seed).run() })
		if t.Failed() {
			t.Fatalf("program %d: -run Session32 -session.programs=1 -session.seed=%d", i, seed)
		}
	}
}

// program is one of them.
type program struct {
	t       *testing.T
	r       *rand.Rand // of run; the others have their own
	seed    uint64
	network qsockettest.Network
	proxy   *qsockettest.Proxy
	opts    *qsocket.Options // of the server
	ln      *qsocket.Listener[int]
	client  *end
	server  *end
	began   chan struct{} // closed when the server has its session
	mu      sync.Mutex
	conns   []net.Conn
	work    sync.WaitGroup
	restart bool // there is one
	p       qsocket.Protocol[int]
	scale   int // how large messages are
}

// padded encodes every fifth number with so much behind it that it is written from the memory of the session.
type padded struct{}

func (padded) Name() string                     { return "padded" }
func (padded) Stateless() bool                  { return true }
func (padded) NewEncoder() qsocket.Encoder[int] { return padded{} }
func (padded) NewDecoder() qsocket.Decoder[int] { return padded{} }
func (padded) Append(b []byte, v int) ([]byte, error) {
	b = binary.BigEndian.AppendUint64(b, uint64(v))
	if v%5 == 0 {
		b = append(b, bytes.Repeat([]byte{byte(v)}, paddedSize-8)...)
	}
	return b, nil
}

const paddedSize = 17 << 10

func (padded) Decode(b []byte) (int, error) {
	if len(b) != 8 && len(b) != paddedSize {
		return 0, fmt.Errorf("got %d bytes", len(b))
	}
	v := int(binary.BigEndian.Uint64(b))
	for i, got := range b[8:] {
		if got != byte(v) {
			return 0, fmt.Errorf("message %d: got %d as its byte %d", v, got, i)
		}
	}
	return v, nil
}

// end is what a program knows of one end of the session.
type end struct {
	name     string
	s        *qsocket.Session[int]
	seeds    [2]uint64 // of what it sends and receives
	sent     int       // accepted: 1 to sent
	received int
	wrong    error
	shut     bool // its Shutdown has returned nil
	eof      bool // its messages have ended with io.EOF
}

func newProgram(t *testing.T, seed uint64) *program {
	r := rand.New(rand.NewPCG(seed, 32))
	p := &program{t: t, r: r, seed: seed, began: make(chan struct{})}
	p.client = &end{name: "client", seeds: [2]uint64{r.Uint64(), r.Uint64()}}
	p.server = &end{name: "server", seeds: [2]uint64{r.Uint64(), r.Uint64()}}
	f := qsockettest.Faults{Latency: time.Duration(r.IntN(3)) * time.Millisecond, Split: r.IntN(8), Jitter: time.Duration(r.IntN(2)) * time.Millisecond}
	p.p, p.scale = protocol, 1
	if seed%4 == 3 {
		p.p.Codec, p.scale = padded{}, 500
		f.Split *= p.scale
	}
	p.proxy = qsockettest.NewProxy(seed, f, f)
	return p
}

func (p *program) options() *qsocket.Options {
	r := p.r
	return &qsocket.Options{
		RecvQueue:     1 + r.IntN(4),
		SessionBuffer: p.scale * (20 + r.IntN(300)),
		SendBuffer:    p.scale * (20 + r.IntN(300)),
		SessionExpiry: time.Duration(1+r.IntN(3)) * time.Second,
		Heartbeat:     time.Duration(100+r.IntN(400)) * time.Millisecond,
		CloseTimeout:  time.Duration(1+r.IntN(3)) * time.Second,
	}
}

func (p *program) listen() {
	nl, err := p.network.Listen(address)
	if err != nil {
		p.t.Fatal(err)
	}
	ln, err := qsocket.NewListener(nl, p.p, p.opts)
	if err != nil {
		p.t.Fatal(err)
	}
	first := p.ln == nil
	p.ln = ln
	go ln.ServeSessions(context.Background(), func(ctx context.Context, s *qsocket.Session[int]) {
		if first {
			first = false
			p.server.s = s
			close(p.began)
		} else {
			p.t.Error("a second session")
		}
		<-s.Done()
	})
}

func (p *program) run() {
	p.opts = p.options()
	p.opts.MaxSessions = 2
	p.listen()
	copts := p.options()
	backoff := rand.New(rand.NewPCG(p.seed, 33))
	copts.Backoff = func(int) time.Duration { return time.Duration(backoff.IntN(100)) * time.Millisecond }
	copts.DialContext = func(ctx context.Context, nw, addr string) (net.Conn, error) {
		nc, err := p.proxy.Through(p.network.DialContext)(ctx, nw, addr)
		if err == nil {
			p.mu.Lock()
			p.conns = append(p.conns, nc)
			p.mu.Unlock()
		}
		return nc, err
	}
	var err error
	if p.client.s, err = qsocket.DialSession(p.t.Context(), "tcp", address, p.p, copts); err != nil {
		p.t.Fatal(err)
	}
	<-p.began
	stop := make(chan struct{})
	for _, e := range []*end{p.client, p.server} {
		p.work.Go(func() { p.sendAll(e) })
		p.work.Go(func() { p.receiveAll(e) })
	}
	trouble := make(chan struct{})
	go func() {
		defer close(trouble)
		p.makeTrouble(stop)
	}()
	p.work.Wait()
	close(stop)
	<-trouble
	for _, e := range []*end{p.client, p.server} {
		_ = e.s.Close()
		<-e.s.Done()
	}
	p.check(p.client, p.server)
	p.check(p.server, p.client)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = p.ln.Drain(ctx, "")
	p.proxy.Close()
}

func (p *program) pause(r *rand.Rand) {
	if r.IntN(3) == 0 {
		time.Sleep(time.Duration(r.IntN(20)) * time.Millisecond)
	}
}

// sendAll sends, and then ends the session in one of the ways there are.
func (p *program) sendAll(e *end) {
	r := rand.New(rand.NewPCG(e.seeds[0], 3))
	for n := r.IntN(60); n > 0; n-- {
		p.pause(r)
		within := 10 * time.Second // the other end may not receive any more
		if r.IntN(4) == 0 {
			within = time.Duration(r.IntN(30)) * time.Millisecond
		}
		ctx, cancel := context.WithTimeout(context.Background(), within)
		var err error
		switch r.IntN(4) {
		case 0:
			var ok bool
			if ok, err = e.s.TrySend(e.sent + 1); err == nil && !ok {
				err = errors.New("full")
			}
		case 1:
			var m *qsocket.Prepared[int]
			if m, err = p.p.Prepare(e.sent + 1); err == nil {
				err = e.s.SendPrepared(ctx, m)
			}
		default:
			err = e.s.Send(ctx, e.sent+1)
		}
		cancel()
		if err == nil {
			e.sent++
		} else if errors.Is(err, net.ErrClosed) {
			return
		}
		if r.IntN(20) == 0 {
			sent := e.sent
			ctx, cancel := context.WithTimeout(context.Background(), time.Duration(r.IntN(200))*time.Millisecond)
			if e.s.Sync(ctx) == nil {
				p.taken(e, sent, "Sync")
			}
			cancel()
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(r.IntN(8000))*time.Millisecond)
	defer cancel()
	switch r.IntN(4) {
	case 0:
		_ = e.s.Close()
	case 1:
		e.shut = e.s.Shutdown(ctx) == nil
	case 2:
		_ = e.s.CloseWrite()
	default:
		_ = e.s.CloseWrite()
		p.pause(r)
		e.shut = e.s.Shutdown(ctx) == nil
	}
}

// taken checks that the other end has received that many messages.
func (p *program) taken(e *end, n int, who string) {
	other := p.client
	if e == p.client {
		other = p.server
	}
	time.Sleep(time.Nanosecond) // it has been taken, and is about to be counted
	p.mu.Lock()
	defer p.mu.Unlock()
	if other.received < n {
		e.wrong = fmt.Errorf("%s of the %s has returned nil for %d messages, %d of which were received", who, e.name, n, other.received)
	}
}

// receiveAll receives until the messages end, or for a while.
func (p *program) receiveAll(e *end) {
	r := rand.New(rand.NewPCG(e.seeds[1], 4))
	most := 1000
	if r.IntN(5) == 0 {
		most = r.IntN(20)
	}
	for n := 0; n < most; n++ {
		p.pause(r)
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		var v int
		var err error
		if r.IntN(2) == 0 {
			v, err = e.s.Recv(ctx)
		} else {
			ok := false
			select {
			case v, ok = <-e.s.Messages():
				if !ok {
					_, err = e.s.Recv(ctx)
				}
			case <-ctx.Done():
				err = ctx.Err()
			}
		}
		cancel()
		if err != nil {
			e.eof = err == io.EOF
			return
		}
		p.mu.Lock()
		if v != e.received+1 && e.wrong == nil {
			e.wrong = fmt.Errorf("the %s has received %d after %d", e.name, v, e.received)
		}
		e.received++
		p.mu.Unlock()
	}
}

// makeTrouble breaks connections until stop is closed.
func (p *program) makeTrouble(stop chan struct{}) {
	r := p.r
	for {
		timer := time.NewTimer(time.Duration(r.IntN(100)) * time.Millisecond)
		select {
		case <-timer.C:
		case <-stop:
			return
		}
		p.mu.Lock()
		latest := p.conns[len(p.conns)-1]
		p.mu.Unlock()
		switch r.IntN(12) {
		case 0, 1, 2:
			_ = latest.Close()
		case 3:
			p.proxy.Cut(qsockettest.RST)
		case 4:
			p.proxy.Cut(qsockettest.FIN)
		case 5:
			p.proxy.Cut(qsockettest.BlackHole)
		case 6:
			if nc := p.server.s.NetConn(); nc != nil {
				_ = nc.Close()
			}
		case 7:
			if r.IntN(20) == 0 {
				p.restart = true
				_ = p.ln.Close()
				p.listen()
			}
		}
	}
}

// check compares what e says of its messages with what the other end has received.
func (p *program) check(e, other *end) {
	t := p.t
	if e.wrong != nil {
		t.Error(e.wrong)
	}
	// What waits in the queue was not taken, and not received.
	if other.received > e.sent {
		t.Errorf("the %s has sent %d messages, of which the other has received %d", e.name, e.sent, other.received)
	}
	if e.eof && e.received != other.sent {
		t.Errorf("the %s has io.EOF after %d of %d messages", e.name, e.received, other.sent)
	}
	if read := other.received + len(other.s.Messages()); e.shut && read != e.sent {
		t.Errorf("Shutdown of the %s has returned nil for %d messages, of which %d were read", e.name, e.sent, read)
	}
	var lost *qsocket.SessionError
	if errors.As(e.s.Err(), &lost) {
		if int(lost.Taken) > other.received || int(lost.Sent) < other.received {
			t.Errorf("the %s says that %d to %d of %d were taken, the other has received %d", e.name, lost.Taken, lost.Sent, e.sent, other.received)
		}
		next := int(lost.Taken)
		for v, perhaps := range e.s.Unacknowledged() {
			if next++; v != next || perhaps != (v <= int(lost.Sent)) {
				t.Errorf("the %s has %d, %v among the unacknowledged, want %d", e.name, v, perhaps, next)
			}
		}
		if next != e.sent {
			t.Errorf("the %s has sent %d messages, the last unacknowledged is %d", e.name, e.sent, next)
		}
	}
}
