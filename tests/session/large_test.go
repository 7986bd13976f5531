package session

import (
	"context"
	"errors"
	"hash/crc32"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// stuck is a net.Conn in which a large Write gets stuck after a part of it: not even Close wakes it. It reads what it was
// given until the end of the test.
type stuck struct {
	net.Conn
	whole int           // large Writes that are not stuck
	given []byte        // by the Write that is
	hangs chan struct{} // closed when it is
	free  chan struct{} // ends it
}

func (s *stuck) Write(b []byte) (int, error) {
	if len(b) == 16<<10 {
		s.whole--
	}
	if s.whole >= 0 {
		return s.Conn.Write(b)
	}
	s.given = b
	_, _ = s.Conn.Write(b[:1000])
	close(s.hangs)
	<-s.free
	return 0, net.ErrClosed
}

// late is a net.Conn whose Write looks once more at what it was given, when the peer has had it for a while.
type late struct {
	net.Conn
	t *testing.T
}

func (l *late) Write(b []byte) (int, error) {
	was := crc32.ChecksumIEEE(b)
	n, err := l.Conn.Write(b)
	time.Sleep(time.Second)
	if crc32.ChecksumIEEE(b) != was {
		l.t.Errorf("%d bytes that were given to Write have changed before it has returned", len(b))
	}
	return n, err
}

const largeSize = 100 << 10

// sendLarge sends messages of largeSize over a session, whose first connection wrap has made another one of, and has them received.
func sendLarge(t *testing.T, messages int, wrap func(net.Conn) net.Conn) (client, server *qsocket.Session[[]byte]) {
	t.Helper()
	network := qsockettest.Listen(address)
	ln, err := qsocket.NewListener(network, blobs, serverOptions())
	if err != nil {
		t.Fatal(err)
	}
	arrived := make(chan *qsocket.Session[[]byte], 1)
	go ln.ServeSessions(context.Background(), func(ctx context.Context, s *qsocket.Session[[]byte]) {
		arrived <- s
		<-s.Done()
	})
	t.Cleanup(func() { _ = ln.Drain(context.Background(), "") })
	var once sync.Once
	client, err = qsocket.NewSession(t.Context(), func(ctx context.Context) (nc net.Conn, err error) {
		if nc, err = network.DialContext(ctx, "tcp", address); err == nil {
			once.Do(func() { nc = wrap(nc) })
		}
		return nc, err
	}, blobs, &qsocket.Options{Backoff: func(int) time.Duration { return time.Millisecond }})
	if err != nil {
		t.Fatal(err)
	}
	server = <-arrived
	received := testkit.Async(func() error { return recvBlobs(t.Context(), server, 1, messages, largeSize) })
	for i := 1; i <= messages; i++ {
		if err := client.Send(t.Context(), numbered(i, largeSize)); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-received; err != nil {
		t.Error(err)
	}
	return client, server
}

// A large message is written from the memory of the session. Where a net.Conn goes on reading what it was given after it was
// closed, that memory is not used again, whatever is sent and acknowledged meanwhile.
func TestStuckWriteKeepsItsBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := &stuck{whole: 32, hangs: make(chan struct{}), free: make(chan struct{})}
		go func() {
			<-first.hangs
			_ = first.Conn.Close()
		}()
		client, server := sendLarge(t, 500, func(nc net.Conn) net.Conn {
			first.Conn = nc
			return first
		})
		for i, got := range first.given {
			if want := byte(6); got != want { // of the sixth message, in its third chunk
				t.Fatalf("byte %d of what the first connection was given: got %d, want %d", i, got, want)
			}
		}
		close(first.free)
		if err := client.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if stats := server.Stats(); stats.Resumes == 0 {
			t.Error("the session was not resumed")
		}
	})
}

// What is acknowledged before the Write of it has returned is not used again either.
func TestAckBeforeWriteReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := sendLarge(t, 200, func(nc net.Conn) net.Conn { return &late{nc, t} })
		if err := client.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// failing is a net.Conn of which one Write fails although the peer gets all of it.
type failing struct {
	net.Conn
	whole int // large Writes before it
}

func (f *failing) Write(b []byte) (int, error) {
	n, err := f.Conn.Write(b)
	if len(b) > 1000 {
		if f.whole--; f.whole < 0 {
			return n, errors.New("a fault")
		}
	}
	return n, err
}

// A peer may have all of a frame whose Write has failed, and acknowledge it: that is no violation.
func TestAckOfFrameWhoseWriteFailed(t *testing.T) {
	for whole := range 80 { // an ack is due for 11 messages, of 7 Writes each
		synctest.Test(t, func(t *testing.T) {
			client, server := sendLarge(t, 40, func(nc net.Conn) net.Conn { return &failing{nc, whole} })
			if err := client.Shutdown(t.Context()); err != nil {
				t.Errorf("after %d Writes: %v", whole, err)
			}
			if server.Stats().Resumes == 0 {
				t.Errorf("after %d Writes the session was not resumed", whole)
			}
		})
	}
}
