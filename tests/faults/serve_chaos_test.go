package faults

import (
	"context"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// Servers end in every way while clients of every kind come and go. Serve
// returns, whatever arrives is a prefix of what was sent, what a client was
// promised in named mode is true, and nothing is left behind.
func TestServeChaos(t *testing.T) {
	rounds := 30
	if testing.Short() {
		rounds = 5
	}
	testkit.ForTransports(t, testkit.KernelTransports, func(t *testing.T, transport string) {
		for round := range rounds {
			r := rand.New(rand.NewPCG(uint64(round), 1))
			p := testkit.Text
			if round%2 == 1 {
				p.Name = "chaos"
			}
			ctx := testkit.Context(t)
			ln := testkit.ListenOn(t, transport, p, &qsocket.Options{
				CloseTimeout: 300 * time.Millisecond, HandshakeTimeout: 300 * time.Millisecond, SendBuffer: 4 << 10,
			})
			s := chaosServer{t: t, moody: r.IntN(2) == 0}
			serveCtx, cancel := context.WithCancel(ctx)
			served := testkit.Serve(serveCtx, ln, s.handle)

			// Some clients start at once, others when an earlier one has come to some
			// point, as does the end of the server.
			start := make(chan struct{})
			close(start)
			var moments []<-chan struct{}
			moment := func() <-chan struct{} {
				if i := r.IntN(len(moments) + 20); i < len(moments) {
					return moments[i]
				}
				return start
			}
			var clients sync.WaitGroup
			for id := range 10 {
				c := chaosClient{t: t, id: id, transport: transport, ln: ln, p: p, server: &s, r: rand.New(rand.NewPCG(uint64(round), uint64(id+2)))}
				begin := moment()
				moments = append(moments, c.addMoments()...)
				clients.Go(func() {
					<-begin
					c.run(ctx)
					c.reached(len(c.moments)) // for those that wait for what it has not come to
				})
			}
			<-moment()
			switch r.IntN(3) {
			case 0:
				cancel()
			case 1:
				if err := ln.Close(); err != nil {
					t.Errorf("round %d: Close: %v", round, err)
				}
			default:
				patience, stop := context.WithTimeout(ctx, time.Duration(r.IntN(100))*time.Millisecond)
				_ = ln.Shutdown(patience) // which may have been too short
				stop()
			}
			if err := testkit.Result(t, "Serve", served); err != nil {
				t.Errorf("round %d: Serve: got %v, want nil", round, err)
			}
			clients.Wait()
			cancel()
		}
	})
	testkit.NoGoroutinesLeft(t)
}

// chaosServer notes how many messages of each client have arrived.
type chaosServer struct {
	t     *testing.T
	moody bool // some handlers leave early

	received [10]atomic.Int64
}

func (s *chaosServer) handle(ctx context.Context, c *qsocket.Conn[string]) {
	leaveAfter := -1
	if s.moody {
		leaveAfter = rand.IntN(300)
	}
	next := 0
	receive := func(m string) bool {
		client, n, ok := strings.Cut(m, " ")
		id, err := strconv.Atoi(client)
		if !ok || err != nil || id >= len(s.received) || n != strconv.Itoa(next) {
			s.t.Errorf("got %q, want message %d of a client", m, next)
			return false
		}
		s.received[id].Store(int64(next + 1))
		next++
		return next != leaveAfter && c.Send(ctx, m) == nil
	}
	if rand.IntN(2) == 0 {
		for m := range c.Messages() {
			if !receive(m) {
				return
			}
		}
		return
	}
	for m, err := range c.All(ctx) {
		if err != nil || !receive(m) {
			return
		}
	}
}

type chaosClient struct {
	t         *testing.T
	id        int
	transport string
	ln        *qsocket.Listener[string]
	p         qsocket.Protocol[string]
	server    *chaosServer
	r         *rand.Rand
	moments   []chan struct{} // closed when it has a connection, and when it has sent 1, 2, 4, … messages, or is over
	past      int             // how many of them are closed
}

func (c *chaosClient) addMoments() (all []<-chan struct{}) {
	for range 10 {
		m := make(chan struct{})
		c.moments, all = append(c.moments, m), append(all, m)
	}
	return all
}

// reached closes the first n moments.
func (c *chaosClient) reached(n int) {
	for ; c.past < n; c.past++ {
		close(c.moments[c.past])
	}
}

func (c *chaosClient) run(ctx context.Context) {
	how := c.r.IntN(6)
	if how >= 4 { // clients that do not speak the protocol
		nc, err := net.Dial(c.ln.Addr().Network(), c.ln.Addr().String())
		if err != nil {
			return
		}
		defer nc.Close()
		c.reached(1)
		if how == 4 {
			_, _ = nc.Write([]byte(strings.Repeat("GET / HTTP/1.1\r\n\r\n", 1+c.r.IntN(3000))))
			return
		}
		_ = nc.SetDeadline(time.Now().Add(500 * time.Millisecond)) // says nothing until the server hangs up
		_, _ = nc.Read(make([]byte, 1))
		return
	}
	opts := testkit.DialOptions(c.transport)
	if opts == nil {
		opts = new(qsocket.Options)
	}
	opts.CloseTimeout = 300 * time.Millisecond
	conn, err := qsocket.Dial(ctx, c.ln.Addr().Network(), c.ln.Addr().String(), c.p, opts)
	if err != nil {
		return // the server is gone
	}
	defer testkit.End(conn)
	c.reached(1)
	var echoes sync.WaitGroup
	defer echoes.Wait()
	if how != 3 { // a client that does not read makes the server's Send wait
		echoes.Go(func() { c.checkEchoes(ctx, conn) })
	}
	sent := int64(0)
	for range c.r.IntN(500) {
		brief, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		err := conn.Send(brief, fmt.Sprint(c.id, " ", sent))
		cancel()
		if err != nil {
			break
		}
		sent++
		c.reached(1 + bits.Len(uint(sent)))
	}
	switch how {
	case 0:
		_ = conn.Close()
	case 1:
		_ = conn.NetConn().Close()
	default:
		patience, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		err := conn.Shutdown(patience)
		const queue = 16 + 1 // messages that the server's reader has taken and its handler has not, and one that it has not noted
		if got := c.server.received[c.id].Load(); err == nil && c.p.Name != "" && got < sent-queue {
			c.t.Errorf("client %d: Shutdown returned nil, but %d of %d messages were received", c.id, got, sent)
		}
	}
}

// checkEchoes expects a prefix of what was sent.
func (c *chaosClient) checkEchoes(ctx context.Context, conn *qsocket.Conn[string]) {
	n := 0
	for m, err := range conn.All(ctx) {
		if err != nil {
			return
		}
		if want := fmt.Sprint(c.id, " ", n); m != want {
			c.t.Errorf("got %q, want %q", m, want)
			return
		}
		n++
	}
}
