package netconns

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// A verdict gets across over every kind, whichever end has it, and so does the reason of a refusal.
func TestAdmit(t *testing.T) {
	for _, k := range kinds {
		for _, verdict := range []error{nil, qsocket.Refuse("no such token")} {
			name := "let in"
			if verdict != nil {
				name = "refused"
			}
			t.Run(k.name+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					a, b := qsockettest.NetPipe()
					admit := &qsocket.Options{Admit: func(_ context.Context, _ qsocket.Peer, _ map[string]string, nc net.Conn) error {
						time.Sleep(time.Second)
						return verdict
					}}
					start := time.Now()
					other := testkit.Async(func() error {
						c, err := qsocket.NewConn(context.Background(), k.wrap(b), testkit.Named, admit)
						if err == nil {
							_, err = c.Recv(context.Background())
							testkit.End(c)
						}
						return err
					})
					c, there := qsocket.NewConn(context.Background(), k.wrap(a), testkit.Named, nil)
					took := time.Since(start)
					if there == nil {
						if err := c.Send(t.Context(), "hello"); err != nil {
							t.Error(err)
						}
					}
					here := <-other
					if there == nil {
						testkit.End(c)
					}
					if took < time.Second || took > time.Second+grace {
						t.Errorf("it took %v, want 1s", took)
					}
					for _, err := range []error{here, there} {
						var he *qsocket.HandshakeError
						if verdict == nil && err != nil || verdict != nil && (!errors.As(err, &he) || he.Field != "refused" || !strings.Contains(err.Error(), "no such token")) {
							t.Errorf("got %v", err)
						}
					}
					var re *qsocket.RemoteError
					if verdict != nil && (!errors.Is(here, verdict) || !errors.As(there, &re)) {
						t.Errorf("got %v and %v", here, there)
					}
					a.Close()
					b.Close()
					time.Sleep(2 * time.Minute)
				})
			})
		}
	}
}

// A verdict that does not come ends with HandshakeTimeout.
func TestNoVerdict(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := qsockettest.NetPipe()
				go io.Copy(io.Discard, b) // until its end
				if _, err := b.Write(testkit.Unhex(testkit.GoldenAdmits)); err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				_, err := qsocket.NewConn(t.Context(), k.wrap(a), testkit.Named, &qsocket.Options{HandshakeTimeout: 3 * time.Second})
				if took := time.Since(start); err == nil || !strings.Contains(err.Error(), "after 3s the peer's Options.Admit had not answered") || took > 3*time.Second+grace {
					t.Errorf("got %v after %v", err, took)
				}
				time.Sleep(2 * time.Minute)
				b.Close()
				a.Close()
				time.Sleep(2 * time.Minute)
			})
		})
	}
}

// thrifty has no deadlines, and its Write takes the hello, or not even that, and nothing behind it, as over an SSH channel whose peer
// gives no more window.
type thrifty struct {
	noDeadlines
	takes  atomic.Int64 // Writes
	closed chan struct{}
	once   sync.Once
}

func (c *thrifty) Write(b []byte) (int, error) {
	if c.takes.Add(-1) >= 0 {
		return c.noDeadlines.Write(b)
	}
	<-c.closed
	return 0, net.ErrClosed
}

func (c *thrifty) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.noDeadlines.Close()
}

// A peer that is refused, and takes nothing of the reason, holds up neither NewConn nor a Listener.
func TestRefusedAndTakesNothing(t *testing.T) {
	for takes := range 2 {
		synctest.Test(t, func(t *testing.T) {
			a, b := qsockettest.NetPipe()
			defer b.Close()
			if _, err := io.WriteString(b, "QSK\x02 and more"); err != nil { // another version
				t.Fatal(err)
			}
			start := time.Now()
			nc := &thrifty{noDeadlines: noDeadlines{a}, closed: make(chan struct{})}
			nc.takes.Store(int64(takes))
			_, err := qsocket.NewConn(t.Context(), nc, testkit.Named, &qsocket.Options{HandshakeTimeout: 3 * time.Second})
			var he *qsocket.HandshakeError
			if !errors.As(err, &he) || he.Field != "version" {
				t.Errorf("got %v, want Field version", err)
			}
			if took := time.Since(start); took > 3*time.Second+grace {
				t.Errorf("it took %v", took)
			}
		})
	}
}
