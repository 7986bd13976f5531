package wire

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// A confirm that came before Shutdown ends it at once, and CloseTimeout ends
// the rest even if the peer says nothing more.
func TestShutdownAfterConfirm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := inBubble(t, &qsocket.Options{Heartbeat: -1})
		done := c.Done()
		go io.Copy(io.Discard, s)
		if err := c.CloseWrite(); err != nil {
			t.Error(err)
		}
		s.Send(testkit.GoldenConfirm)
		synctest.Wait()
		began := time.Now()
		if err := c.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("Shutdown took %v", took)
		}
		<-done
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("the end came after %v, want CloseTimeout", took)
		}
	})
}

// A peer that is gone is given up in a Shutdown too, with what it has not taken.
func TestShutdownOfDeadPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := inBubble(t, &qsocket.Options{Heartbeat: time.Second})
		if err := c.Send(context.Background(), "nobody reads this"); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		err := c.Shutdown(context.Background())
		if !errors.Is(err, qsocket.ErrUnconfirmed) || !errors.Is(err, qsocket.ErrPeerDead) {
			t.Errorf("got %v, want ErrUnconfirmed and ErrPeerDead", err)
		}
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("after %v, want twice Heartbeat", took)
		}
	})
}

// Control frames without end do not keep a Recv from its ctx.
func TestRecvContextAmongControlFrames(t *testing.T) {
	c, s := testkit.Scripted(t, nil)
	flood := testkit.Unhex(strings.Repeat("80000001 90", 1000))
	stop := make(chan struct{})
	flooded := testkit.Async(func() error {
		for {
			select {
			case <-stop:
				return nil
			default:
			}
			if _, err := s.Write(flood); err != nil {
				return err
			}
		}
	})
	for range 20 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		if m, err := c.Recv(ctx); err != context.DeadlineExceeded {
			t.Errorf("got %q, %v", m, err)
		}
		cancel()
	}
	close(stop)
	testkit.End(c)
	testkit.Result(t, "the flood", flooded)
}

// A heartbeat that is lost because the peer has closed is no failure: the
// goodbye, which a slow consumer keeps from being seen, says how it was.
func TestLostHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nc, peer := qsockettest.NetPipe()
		s := testkit.WirePeer{T: t, Conn: peer}
		made := testkit.Async(func() *qsocket.Conn[string] {
			c, err := qsocket.NewConn(context.Background(), nc, testkit.Named, &qsocket.Options{RecvQueue: 1, Heartbeat: -1})
			if err != nil {
				t.Error(err)
			}
			return c
		})
		s.ExpectHello()
		s.Send(testkit.GoldenHello) // wants to hear something every 15 s
		c := <-made
		messages := c.Messages()
		s.Send(strings.Repeat("00000001 61", 4) + testkit.GoldenFull)
		synctest.Wait() // all of it is read, and one message is in the queue
		s.Close()
		time.Sleep(time.Minute) // heartbeats go out, and fail
		n := 0
		for range messages {
			n++
		}
		<-c.Done()
		if n != 4 || c.Err() != nil {
			t.Errorf("got %d messages and %v, want 4 and nil", n, c.Err())
		}
	})
}

// A MaxFrame that the header of a named protocol cannot announce is none.
func TestNamedLargestMaxFrame(t *testing.T) {
	a, b := testkit.Pair(t, "tcp", testkit.Named, &qsocket.Options{MaxFrame: math.MaxInt}, &qsocket.Options{MaxFrame: math.MaxInt})
	ctx := testkit.Context(t)
	if err := a.Send(ctx, "m"); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if m, err := b.Recv(ctx); m != "m" || err != nil {
		t.Errorf("got %q, %v", m, err)
	}
	if _, err := b.Recv(ctx); err != io.EOF {
		t.Errorf("got %v, want io.EOF", err)
	}
}

// noDeadlines is a net.Conn without deadlines.
type noDeadlines struct{ net.Conn }

func (noDeadlines) SetDeadline(time.Time) error      { return errors.ErrUnsupported }
func (noDeadlines) SetReadDeadline(time.Time) error  { return errors.ErrUnsupported }
func (noDeadlines) SetWriteDeadline(time.Time) error { return errors.ErrUnsupported }

// The handshake is bounded even so.
func TestHandshakeWithoutDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nc, peer := net.Pipe()
		defer peer.Close()
		began := time.Now()
		_, err := qsocket.NewConn(context.Background(), noDeadlines{nc}, testkit.Named, nil)
		var he *qsocket.HandshakeError
		if !errors.As(err, &he) || time.Since(began) != 10*time.Second {
			t.Errorf("got %v after %v, want a HandshakeError after HandshakeTimeout", err, time.Since(began))
		}
	})
}
