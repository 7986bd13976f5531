package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// soak counts what has happened.
type soak struct {
	running             sync.RWMutex // read-held by each connection
	conns, clean, cut   atomic.Int64
	accepted, delivered atomic.Int64
}

// Random faults for a long time: what arrives is a prefix of what was accepted,
// in order, and memory does not grow.
func TestFault30Soak(t *testing.T) {
	testkit.CheckGoroutines(t)
	if *faultSoak == 0 {
		t.Skip("takes as long as it is told to: go test -run Fault30 -v -timeout 0 ./tests/faults -soak 30m")
	}
	const workers = 8
	ctx, cancel := context.WithTimeout(context.Background(), *faultSoak)
	defer cancel()
	var s soak
	var workersDone sync.WaitGroup
	for w := range workers {
		workersDone.Go(func() { // ends with ctx
			r := rand.New(rand.NewPCG(uint64(w), 30))
			for ctx.Err() == nil && !t.Failed() {
				s.running.RLock()
				s.round(t, r, w)
				s.running.RUnlock()
			}
		})
	}
	// The heap is compared after a tenth of the time, when every pool and map has
	// its size, and at the end.
	early := time.NewTimer(*faultSoak / 10)
	defer early.Stop()
	<-early.C
	first, firstHeap := time.Now(), s.heap()
	report := time.NewTicker(time.Minute)
	defer report.Stop()
	for ctx.Err() == nil && !t.Failed() {
		select {
		case <-report.C:
			t.Logf("%v: %s", round(time.Since(first)), s.String())
		case <-ctx.Done():
		}
	}
	last := time.Since(first)
	workersDone.Wait()
	lastHeap := s.heap()
	grown := float64(lastHeap-firstHeap) / (1 << 20)
	t.Logf("%v of random faults: %s; every stream a prefix of what was accepted; the heap went from %.1f to %.1f MiB: %+.2f MiB per 10 min",
		*faultSoak, s.String(), float64(firstHeap)/(1<<20), float64(lastHeap)/(1<<20), grown*float64(10*time.Minute)/float64(last))
	if limit := max(1, last.Minutes()/10); grown > limit {
		t.Errorf("the heap has grown by %.2f MiB in %v, want at most %.2f", grown, round(last), limit)
	}
}

func (s *soak) String() string {
	return fmt.Sprintf("%d connections, of which %d ended well and %d otherwise, %d of %d accepted messages arrived",
		s.conns.Load(), s.clean.Load(), s.cut.Load(), s.delivered.Load(), s.accepted.Load())
}

// heap returns the heap in use while there is no connection.
func (s *soak) heap() int64 {
	s.running.Lock()
	defer s.running.Unlock()
	return int64(testkit.LiveHeap())
}

// round is the life of a connection under faults that are drawn.
func (s *soak) round(t *testing.T, r *rand.Rand, worker int) {
	proxy := qsockettest.NewProxy(r.Uint64(), soakFaults(r), soakFaults(r))
	defer proxy.Close()
	var na, nb net.Conn
	if worker%2 == 0 {
		na, nb = proxy.Pipe()
	} else {
		var pa, pb net.Conn
		var err error
		if na, pa, err = tcpPair(); err != nil {
			t.Error(err)
			return
		}
		if pb, nb, err = tcpPair(); err != nil {
			t.Error(err)
			return
		}
		proxy.Between(pa, pb)
	}
	p := testkit.Raw
	if r.IntN(2) == 0 {
		p = rawNamed
	}
	opts := &qsocket.Options{
		HandshakeTimeout: time.Second, FrameTimeout: time.Second, CloseTimeout: 3 * time.Second, Heartbeat: 250 * time.Millisecond,
		SendBuffer: 1 << (8 + r.IntN(10)), RecvQueue: 1 + r.IntN(20),
	}
	s.conns.Add(1)
	opened := testkit.Async(func() *qsocket.Conn[[]byte] { b, _ := qsocket.NewConn(context.Background(), nb, p, opts); return b })
	a, errA := qsocket.NewConn(context.Background(), na, p, opts)
	b := <-opened
	if errA != nil || b == nil { // a fault during the handshake
		s.cut.Add(1)
		for _, c := range []*qsocket.Conn[[]byte]{a, b} {
			if c != nil {
				testkit.End(c)
				<-c.Done()
			}
		}
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var accepted, arrived [2]int
	var wg sync.WaitGroup
	n, size := r.IntN(2000), 8+r.IntN(3000)
	for i, c := range []*qsocket.Conn[[]byte]{a, b} {
		wg.Go(func() { // ends when all is sent, or with the Conn
			for k := range n {
				if c.Send(ctx, testkit.Numbered(i, k, 8+k%size)) != nil {
					break
				}
				accepted[i]++
			}
			_ = c.CloseWrite()
		})
		wg.Go(func() { // ends with the Conn, or with the last message of its peer
			for m := range c.Messages() {
				from, k := testkit.ParseNumbered(m)
				if from != 1-i || k != arrived[i] || len(m) != 8+k%size {
					t.Errorf("got message %d.%d of %d bytes, want %d.%d of %d", from, k, len(m), 1-i, arrived[i], 8+arrived[i]%size)
				}
				arrived[i]++
			}
		})
	}
	wg.Wait()
	testkit.End(a)
	testkit.End(b)
	<-a.Done()
	<-b.Done()
	clean := true
	for i := range 2 {
		if arrived[i] > accepted[1-i] {
			t.Errorf("%d messages arrived, %d were accepted", arrived[i], accepted[1-i])
		}
		clean = clean && arrived[i] == accepted[1-i]
		s.delivered.Add(int64(arrived[i]))
		s.accepted.Add(int64(accepted[1-i]))
	}
	if clean {
		s.clean.Add(1)
	} else {
		s.cut.Add(1)
	}
}

// soakFaults draws what happens to a direction. No bit is flipped: frames have no
// checksum.
func soakFaults(r *rand.Rand) (f qsockettest.Faults) {
	if r.IntN(2) == 0 {
		f.Latency, f.Jitter = time.Duration(r.IntN(5))*time.Millisecond, time.Duration(r.IntN(5))*time.Millisecond
	}
	if r.IntN(3) == 0 {
		f.Split = 1 + r.IntN(2000)
	}
	if r.IntN(4) == 0 {
		f.Merge = time.Duration(r.IntN(5)) * time.Millisecond
	}
	if r.IntN(4) == 0 {
		f.Bandwidth = 100_000 + r.IntN(10_000_000)
	}
	if r.IntN(3) == 0 {
		f.Cut = []qsockettest.Cut{qsockettest.FIN, qsockettest.RST, qsockettest.BlackHole}[r.IntN(3)]
		f.CutAfter = r.Int64N(1 << (4 + r.IntN(18)))
	}
	return f
}

// tcpPair returns the two ends of a connection.
func tcpPair() (client, server net.Conn, err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer ln.Close()
	if client, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		return nil, nil, err
	}
	if server, err = ln.Accept(); err != nil {
		client.Close()
		return nil, nil, err
	}
	return client, server, nil
}
