package netconns

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// grace is how much later than the end of a timeout something may happen over these net.Conns:
// a deadline that is not kept is known after 100 ms, and a Close is waited for as long.
const grace = 250 * time.Millisecond

// conns is a Conn over a net.Conn of some kind, and its peer over a stream that keeps all rules.
type conns struct {
	kind
	c, peer *qsocket.Conn[string]
	nc      net.Conn // under c
	under   *qsockettest.StreamConn
}

// forKinds runs test for each kind and mode, in a bubble.
func forKinds(t *testing.T, opts *qsocket.Options, test func(t *testing.T, cs conns)) {
	for _, k := range kinds {
		for _, p := range []qsocket.Protocol[string]{testkit.Text, testkit.Named} {
			mode := "raw"
			if p.Name != "" {
				mode = "named"
			}
			t.Run(k.name+"/"+mode, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					a, b := qsockettest.NetPipe()
					cs := conns{kind: k, nc: k.wrap(a), under: a}
					made := testkit.Async(func() error {
						var err error
						cs.peer, err = qsocket.NewConn(t.Context(), b, p, &qsocket.Options{Heartbeat: -1})
						return err
					})
					var err error
					if cs.c, err = qsocket.NewConn(t.Context(), cs.nc, p, opts); err != nil {
						t.Fatal(err)
					}
					if err := <-made; err != nil {
						t.Fatal(err)
					}
					test(t, cs)
					testkit.End(cs.peer)
					testkit.End(cs.c)
					a.Close() // where Close wakes nothing
					time.Sleep(3 * time.Minute)
				})
			})
		}
	}
}

func isNamed(c *qsocket.Conn[string]) bool { return c.Peer().MaxFrame > 0 }

// What Send accepts arrives before a Shutdown or a Close is over, with or without a receiver
// that waits, and the receiver leaves.
func TestEndLosesNothing(t *testing.T) {
	for _, how := range []string{"Shutdown", "Close"} {
		for _, receiving := range []string{"Recv", "Messages", ""} {
			t.Run(how+" beside "+receiving, func(t *testing.T) {
				forKinds(t, &qsocket.Options{CloseTimeout: time.Second}, func(t *testing.T, cs conns) {
					var left <-chan error
					switch receiving {
					case "Recv":
						left = testkit.Async(func() error { _, err := cs.c.Recv(context.Background()); return err })
					case "Messages":
						left = testkit.Async(func() error {
							for range cs.c.Messages() {
							}
							return cs.c.Err()
						})
					}
					synctest.Wait()
					const n, size = 50, 4 << 10 // more than the stream holds
					received := testkit.Async(func() int {
						time.Sleep(100 * time.Millisecond)
						got := 0
						for m := range cs.peer.Messages() {
							if !strings.HasPrefix(m, fmt.Sprint(got, " ")) {
								t.Errorf("message %d: got %.10q", got, m)
							}
							got++
						}
						if err := cs.peer.Err(); err != nil {
							t.Errorf("the peer: %v", err)
						}
						cs.peer.Close()
						return got
					})
					for i := range n {
						if err := cs.c.Send(t.Context(), fmt.Sprint(i, strings.Repeat(" ", size))); err != nil {
							t.Fatal(err)
						}
					}
					var err error
					if how == "Close" {
						err = cs.c.Close()
					} else {
						ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
						defer cancel()
						err = cs.c.Shutdown(ctx)
						if cs.halfless && !isNamed(cs.c) && errors.Is(err, qsocket.ErrUnconfirmed) {
							err = nil // as documented
						}
					}
					if err != nil {
						t.Errorf("%s: got %v", how, err)
					}
					if got := <-received; got != n {
						t.Errorf("received %d of %d messages", got, n)
					}
					if left != nil {
						select {
						case err := <-left:
							if err != nil && err != io.EOF && !errors.Is(err, net.ErrClosed) {
								t.Errorf("the receiver: got %v", err)
							}
						case <-time.After(2 * time.Second):
							t.Error("the receiver is still there")
						}
					}
				})
			})
		}
	}
}

// Against a peer that reads nothing everything that closes returns in time.
func TestCloseAgainstDeafPeer(t *testing.T) {
	for _, how := range []string{"Close", "CloseWrite", "Shutdown", "Close beside Recv"} {
		t.Run(how, func(t *testing.T) {
			const bound = time.Second
			forKinds(t, &qsocket.Options{CloseTimeout: bound, SendBuffer: 1 << 20}, func(t *testing.T, cs conns) {
				for range 30 {
					if err := cs.c.Send(t.Context(), strings.Repeat("x", 16<<10)); err != nil {
						t.Fatal(err)
					}
				}
				synctest.Wait()
				if how == "Close beside Recv" {
					testkit.Async(func() error { _, err := cs.c.Recv(context.Background()); return err })
					synctest.Wait()
				}
				done := testkit.Async(func() struct{} { <-cs.c.Done(); return struct{}{} })
				synctest.Wait()
				start := time.Now()
				var err error
				switch how {
				case "CloseWrite":
					err = cs.c.CloseWrite()
					if cs.halfless && errors.Is(err, errors.ErrUnsupported) {
						return
					}
				case "Shutdown":
					ctx, cancel := context.WithTimeout(t.Context(), bound)
					err = cs.c.Shutdown(ctx)
					cancel()
				default:
					err = cs.c.Close()
				}
				if took := time.Since(start); took > bound+grace {
					t.Errorf("%s took %v, want at most %v", how, took, bound)
				}
				if !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s: got %v, want a timeout", how, err)
				}
				select {
				case <-done:
				case <-time.After(bound + grace - time.Since(start)):
					t.Error("Done is not closed")
				}
				if err := cs.c.Send(t.Context(), "late"); !errors.Is(err, net.ErrClosed) {
					t.Errorf("Send: got %v, want net.ErrClosed", err)
				}
			})
		})
	}
}

// Timeouts are kept, with or without the net.Conn's help.
func TestTimeouts(t *testing.T) {
	const bound = 2 * time.Second
	check := func(t *testing.T, cs conns, start time.Time, want error) {
		t.Helper()
		select {
		case <-cs.c.Done():
		case <-time.After(time.Minute):
			t.Fatal("the Conn goes on")
		}
		if took := time.Since(start); took < bound || took > bound+grace {
			t.Errorf("ended after %v, want %v", took, bound)
		}
		if err := cs.c.Err(); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	t.Run("WriteTimeout", func(t *testing.T) {
		forKinds(t, &qsocket.Options{WriteTimeout: bound, SendBuffer: 1 << 20, Heartbeat: -1}, func(t *testing.T, cs conns) {
			start := time.Now()
			for range 30 {
				if err := cs.c.Send(t.Context(), strings.Repeat("x", 16<<10)); err != nil {
					t.Fatal(err)
				}
			}
			flushed := testkit.Async(func() error { return cs.c.Flush(context.Background()) })
			if err := <-flushed; !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Flush: got %v, want os.ErrDeadlineExceeded", err)
			}
			// A Write that has made some progress gets as much time again.
			if took := time.Since(start); took < bound || took > 2*bound+grace {
				t.Errorf("Flush returned after %v, want %v", took, bound)
			}
		})
	})
	t.Run("FrameTimeout", func(t *testing.T) {
		forKinds(t, &qsocket.Options{FrameTimeout: bound, Heartbeat: -1}, func(t *testing.T, cs conns) {
			start := time.Now()
			if _, err := cs.peer.NetConn().Write([]byte{0, 0, 0, 9, 'x'}); err != nil {
				t.Fatal(err)
			}
			check(t, cs, start, os.ErrDeadlineExceeded)
		})
	})
	t.Run("Heartbeat", func(t *testing.T) {
		forKinds(t, &qsocket.Options{Heartbeat: bound / 2}, func(t *testing.T, cs conns) {
			if isNamed(cs.c) {
				go cs.peer.NetConn().SetWriteDeadline(time.Unix(1, 0)) // it falls silent
				start := time.Now()
				check(t, cs, start, qsocket.ErrPeerDead)
			}
		})
	})
}

// The handshake is bounded, refuses and is refused, and a net.Conn is closed once.
func TestHandshake(t *testing.T) {
	for _, k := range kinds {
		for name, peer := range map[string]struct {
			answer string
			want   string
		}{
			"silence":         {"", "within HandshakeTimeout"},
			"part of a hello": {"qsk\xff", "within HandshakeTimeout"},
			"HTTP":            {"HTTP/1.1 400 Bad Request\r\n\r\n", "speaks HTTP"},
		} {
			t.Run(k.name+"/"+name, func(t *testing.T) {
				if name == "part of a hello" {
					peer.answer = hello(t)[:6]
				}
				synctest.Test(t, func(t *testing.T) {
					a, b := qsockettest.NetPipe()
					closes := &closeCounter{Conn: k.wrap(a)}
					go io.WriteString(b, peer.answer)
					start := time.Now()
					_, err := qsocket.NewConn(t.Context(), closes.as(), testkit.Named, &qsocket.Options{HandshakeTimeout: 3 * time.Second})
					var refused *qsocket.HandshakeError
					if took := time.Since(start); !errors.As(err, &refused) || !strings.Contains(err.Error(), peer.want) || took > 3*time.Second+grace {
						t.Errorf("got %v after %v, want %s", err, took, peer.want)
					}
					time.Sleep(2 * time.Minute)
					if n := closes.n.Load(); n != 1 {
						t.Errorf("closed %d times, want once", n)
					}
					b.Close()
					a.Close()
					time.Sleep(2 * time.Minute)
				})
			})
		}
	}
}

// hello returns what a Conn says first.
func hello(t *testing.T) string {
	a, b := net.Pipe()
	defer a.Close()
	go func() { // ends with a
		_, _ = qsocket.NewConn(context.Background(), b, testkit.Named, nil)
	}()
	var buf [6]byte
	if _, err := io.ReadFull(a, buf[:]); err != nil {
		t.Fatal(err)
	}
	return string(buf[:])
}

// closeCounter counts calls of Close.
type closeCounter struct {
	net.Conn
	n atomic.Int64
}

func (c *closeCounter) Close() error { c.n.Add(1); return c.Conn.Close() }

// as returns c with a half-close if there is one.
func (c *closeCounter) as() net.Conn {
	if h, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return struct {
			*closeCounter
			half
		}{c, half{h}}
	}
	return c
}

type half struct {
	h interface{ CloseWrite() error }
}

func (h half) CloseWrite() error { return h.h.CloseWrite() }

// The end of the ctx of a Recv costs what the table says.
func TestRecvContext(t *testing.T) {
	forKinds(t, &qsocket.Options{Heartbeat: -1}, func(t *testing.T, cs conns) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		returned := testkit.Async(func() error { _, err := cs.c.Recv(ctx); return err })
		if cs.recvCtx == costsPatience {
			time.Sleep(10 * time.Second)
			if err := cs.peer.Send(t.Context(), "late"); err != nil {
				t.Fatal(err)
			}
		}
		err := <-returned
		switch cs.recvCtx {
		case costsPatience:
			if err != nil || time.Since(start) != 10*time.Second {
				t.Errorf("got %v after %v, want the message that came late", err, time.Since(start))
			}
		case costsTheConn:
			if err != context.DeadlineExceeded || time.Since(start) != time.Second {
				t.Errorf("got %v after %v", err, time.Since(start))
			}
			if _, err := cs.c.Recv(t.Context()); err == nil || cs.c.Err() == nil {
				t.Errorf("got %v, and %v, want the Conn to have failed", err, cs.c.Err())
			}
			return
		case costsTheCall:
			if err != context.DeadlineExceeded || time.Since(start) != time.Second {
				t.Errorf("got %v after %v", err, time.Since(start))
			}
		}
		if err := cs.peer.Send(t.Context(), "next"); err != nil {
			t.Fatal(err)
		}
		if m, err := cs.c.Recv(t.Context()); m != "next" || err != nil {
			t.Errorf("got %q, %v", m, err)
		}
		if err := cs.c.Send(t.Context(), "answer"); err != nil {
			t.Error(err)
		}
		if m, err := cs.peer.Recv(t.Context()); m != "answer" || err != nil {
			t.Errorf("got %q, %v", m, err)
		}
	})
}
