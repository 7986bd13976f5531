package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// An end of a connection that has failed by a timeout has lost a connection, and so has the other.
func TestTimeoutIsTheLossOfAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := serverOptions()
		opts.FrameTimeout = 5 * time.Second
		k := newKit(t, opts)
		slow := qsockettest.NewProxy(1, qsockettest.Faults{}, qsockettest.Faults{})
		defer slow.Close()
		copts := k.clientOptions()
		direct := copts.DialContext
		dials := 0
		copts.DialContext = func(ctx context.Context, nw, addr string) (net.Conn, error) {
			if dials++; dials == 1 {
				return slow.Through(direct)(ctx, nw, addr)
			}
			return direct(ctx, nw, addr)
		}
		client, server := k.pair(copts)
		slow.Set(qsockettest.Faults{DribbleBytes: 1, DribbleEvery: 2 * time.Second}, qsockettest.Faults{})
		send(t, client, 1000, 1003) // of 8 bytes: 16 s
		expect(t, server, 1000, 1003)
		send(t, server, 1, 3)
		expect(t, client, 1, 3)
		if client.Err() != nil || server.Err() != nil || dials != 2 {
			t.Errorf("%v, %v, after %d dials", client.Err(), server.Err(), dials)
		}
	})
}

// Both ends say that they send no more, or that they are at their ends, or both, and a connection is cut at any byte of that,
// in either direction and in any way: both ends end cleanly, and before the server would give the client up.
func TestCutAtTheEnd(t *testing.T) {
	for _, how := range []qsockettest.Cut{qsockettest.FIN, qsockettest.RST, qsockettest.BlackHole} {
		for _, up := range []bool{true, false} {
			for _, first := range []string{"server", "client", "both"} {
				for _, calls := range []string{"CloseWrite", "Shutdown", "CloseWrite, Shutdown"} {
					t.Run(fmt.Sprintf("%v/up=%v/%s first/%s", how, up, first, calls), func(t *testing.T) {
						for after := range int64(80) {
							synctest.Test(t, func(t *testing.T) { cutTheEnd(t, how, up, first, calls, after) })
							if t.Failed() {
								t.Fatalf("cut after %d bytes", after)
							}
						}
					})
				}
			}
		}
	}
}

func cutTheEnd(t *testing.T, how qsockettest.Cut, up bool, first, calls string, after int64) {
	sopts := serverOptions()
	sopts.Heartbeat = time.Second
	k := newKit(t, sopts)
	bad := qsockettest.NewProxy(1, qsockettest.Faults{}, qsockettest.Faults{})
	defer bad.Close()
	copts := k.clientOptions()
	copts.Heartbeat = time.Second
	direct := copts.DialContext
	dials := 0
	var passed [2]atomic.Int64 // through the first connection, by the client and by the server
	copts.DialContext = func(ctx context.Context, nw, addr string) (net.Conn, error) {
		if dials++; dials > 1 {
			return direct(ctx, nw, addr)
		}
		nc, err := bad.Through(direct)(ctx, nw, addr)
		return &counted{nc, &passed}, err
	}
	client, server := k.pair(copts)
	send(t, client, 1, 1)
	send(t, server, 1, 1)
	expect(t, server, 1, 1)
	expect(t, client, 1, 1)
	synctest.Wait()
	if up {
		bad.Set(qsockettest.Faults{Cut: how, CutAfter: passed[0].Load() + after}, qsockettest.Faults{})
	} else {
		bad.Set(qsockettest.Faults{}, qsockettest.Faults{Cut: how, CutAfter: passed[1].Load() + after})
	}
	ends := []*qsocket.Session[int]{server, client}
	if first == "client" {
		ends[0], ends[1] = client, server
	}
	start := time.Now()
	if strings.HasPrefix(calls, "CloseWrite") {
		for _, s := range ends {
			if err := s.CloseWrite(); err != nil {
				t.Error(err)
			}
			if first != "both" {
				synctest.Wait()
			}
		}
	}
	if strings.HasSuffix(calls, "Shutdown") {
		var results []<-chan error
		for _, s := range ends {
			results = append(results, testkit.Async(func() error {
				if calls != "Shutdown" {
					if _, err := s.Recv(t.Context()); err != io.EOF {
						return fmt.Errorf("Recv: %v, want io.EOF", err)
					}
				}
				return s.Shutdown(t.Context())
			}))
			if first != "both" {
				synctest.Wait()
			}
		}
		for _, result := range results {
			if err := <-result; err != nil {
				t.Error(err)
			}
		}
	}
	<-client.Done()
	<-server.Done()
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("after %v", took)
	}
	if client.Err() != nil || server.Err() != nil {
		t.Errorf("%v, %v", client.Err(), server.Err())
	}
}

// An end that says that it sends no more, closes, and gives up waiting, has said all of that: a peer that takes its time gets every
// message and a clean end.
func TestCloseBehindHalfAndGiveUp(t *testing.T) {
	for _, slow := range []string{"server", "client"} {
		synctest.Test(t, func(t *testing.T) {
			k := newKit(t, serverOptions())
			copts := k.clientOptions()
			copts.CloseTimeout = time.Second
			client, server := k.pair(copts)
			closes, slowEnd := client, server
			if slow == "client" {
				closes, slowEnd = server, client
			}
			const messages = 200 // more than RecvQueue
			send(t, closes, 1, messages)
			if err := closes.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if err := closes.Close(); !errors.Is(err, qsocket.ErrSessionLost) {
				t.Errorf("Close: %v, want ErrSessionLost", err)
			}
			time.Sleep(3 * time.Second)
			start := time.Now()
			expect(t, slowEnd, 1, messages)
			if _, err := slowEnd.Recv(t.Context()); err != io.EOF {
				t.Errorf("got %v, want io.EOF", err)
			}
			<-slowEnd.Done()
			if err := slowEnd.Err(); err != nil || time.Since(start) > 10*time.Second {
				t.Errorf("%s: %v, after %v", slow, err, time.Since(start))
			}
		})
	}
}

// counted counts what goes through a connection.
type counted struct {
	net.Conn
	passed *[2]atomic.Int64 // written and read
}

func (c *counted) Write(p []byte) (n int, err error) {
	n, err = c.Conn.Write(p)
	c.passed[0].Add(int64(n))
	return n, err
}

func (c *counted) Read(p []byte) (n int, err error) {
	n, err = c.Conn.Read(p)
	c.passed[1].Add(int64(n))
	return n, err
}

func (c *counted) CloseWrite() error { return c.Conn.(interface{ CloseWrite() error }).CloseWrite() }

// An error of the function that dials which is Permanent ends the session, and a callback that panics is logged.
func TestPermanentAndPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, serverOptions())
		own := errors.New("no such host any more")
		dials := 0
		var log testkit.LogRecorder
		copts := &qsocket.Options{
			Logger:    log.Logger(),
			OnSession: func(e qsocket.SessionEvent) { panic("callback") },
			Backoff:   func(int) time.Duration { return time.Second },
		}
		client, err := qsocket.NewSession(t.Context(), func(ctx context.Context) (net.Conn, error) {
			if dials++; dials > 1 {
				return nil, qsocket.Permanent(own)
			}
			return k.dialContext(ctx, "tcp", address)
		}, protocol, copts)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		k.cut()
		<-client.Done()
		synctest.Wait()
		if err := client.Err(); !errors.Is(err, own) || dials != 2 {
			t.Errorf("got %v after %d dials", err, dials)
		}
		if !strings.Contains(log.Text(), "OnSession panicked") {
			t.Errorf("the panic is not in the log:\n%s", log.Text())
		}
	})
}
