package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/examples/chat"
	"github.com/fb9bb4ed/qsocket/examples/chat/room"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

func TestMain(m *testing.M) {
	log.SetOutput(io.Discard)
	os.Exit(m.Run())
}

const address = "room:7008"

// open opens a room at address. The end of ctx is the signal that stops it.
func open(t *testing.T, ctx context.Context, network *qsockettest.Network) (served <-chan error) {
	t.Helper()
	door := make(chat.Door)
	for _, name := range []string{"ann", "bob", "cy"} {
		door[sha256.Sum256([]byte("secret-"+name[:1]))] = name
	}
	nl, err := network.Listen(address)
	if err != nil {
		t.Fatal(err)
	}
	result := make(chan error, 1)
	go func() { result <- room.Serve(ctx, nl, door, slog.New(slog.DiscardHandler)) }() // ends with ctx
	return result
}

// visit is a run of the program.
type visit struct {
	guest
	mu    sync.Mutex
	text  strings.Builder // on the screen
	ended chan error
}

func (v *visit) Write(p []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.text.Write(p)
}

// shows wants these lines on the screen, when nothing happens any longer, and takes them away.
func (v *visit) shows(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	v.mu.Lock()
	defer v.mu.Unlock()
	var got []string
	for line := range strings.Lines(v.text.String()) {
		got = append(got, strings.TrimSpace(line))
	}
	v.text.Reset()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// come starts one whose token is the letter that the name begins with.
func come(t *testing.T, ctx context.Context, name string, dial func(context.Context, string, string) (net.Conn, error)) *visit {
	ctx, cancel := context.WithCancel(ctx)
	t.Cleanup(cancel) // where the test has failed
	v := &visit{ended: make(chan error, 1)}
	v.guest = guest{lines: make(chan string), screen: screen{v, make(map[string]bool)}}
	opts := &qsocket.Options{DialContext: dial, Attributes: chat.Show("secret-" + name[:1])}
	go func() { v.ended <- v.stay(ctx, address, opts) }() // ends with the lines or ctx
	return v
}

// end waits for the end, which comes within an hour.
func (v *visit) end(t *testing.T) error {
	t.Helper()
	select {
	case err := <-v.ended:
		return err
	case <-time.After(time.Hour):
		t.Fatal("does not end")
		return nil
	}
}

// leaves closes the input.
func (v *visit) leaves(t *testing.T) {
	t.Helper()
	close(v.lines)
	if err := v.end(t); err != nil {
		t.Error(err)
	}
}

func TestConversation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network qsockettest.Network
		ctx, stop := context.WithCancel(t.Context())
		served := open(t, ctx, &network)
		ann := come(t, t.Context(), "ann", network.DialContext)
		ann.shows(t, "ann is here")
		bob := come(t, t.Context(), "bob", network.DialContext)
		bob.shows(t, "ann is here", "bob is here")
		ann.lines <- "hello"
		time.Sleep(time.Minute)
		bob.lines <- "good\x1b[2Jbye, ä"
		ann.shows(t, "bob joined", `bob: "good\x1b[2Jbye, ä"`)
		bob.leaves(t)
		bob.shows(t, `ann: "hello"`)
		ann.shows(t, "bob left")
		ann.leaves(t)
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

// A wrong token is final: the loop ends at once, with the reason.
func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network qsockettest.Network
		ctx, stop := context.WithCancel(t.Context())
		served := open(t, ctx, &network)
		began := time.Now()
		eve := come(t, t.Context(), "eve", network.DialContext)
		err := eve.end(t)
		if err == nil || !strings.Contains(err.Error(), "no valid token") {
			t.Errorf("got %v, want the reason", err)
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("got it after %v", took)
		}
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

// Servers are replaced, one after another, while ann and bob talk. Nobody is shown twice or has left. One who does not come to the next server has left, after some time.
func TestNextServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network qsockettest.Network
		ctx, stop := context.WithCancel(t.Context())
		served := open(t, ctx, &network)
		ann := come(t, t.Context(), "ann", network.DialContext)
		ann.shows(t, "ann is here")
		bob := come(t, t.Context(), "bob", network.DialContext)
		bob.shows(t, "ann is here", "bob is here")
		staying, giveUp := context.WithCancel(t.Context())
		cy := come(t, staying, "cy", network.DialContext)
		cy.shows(t, "ann is here", "bob is here", "cy is here")
		ann.shows(t, "bob joined", "cy joined")
		bob.shows(t, "cy joined")

		next := func() {
			t.Helper()
			stop()
			synctest.Wait() // the address is free
			ctx, stop = context.WithCancel(t.Context())
			last := served
			served = open(t, ctx, &network)
			if err := <-last; err != nil {
				t.Errorf("a server that stops: %v", err)
			}
		}
		for range 3 {
			ann.lines <- "before"
			synctest.Wait() // what is said while some are under way they do not hear
			next()
			time.Sleep(time.Second) // all are back, see TestBackoff
			ann.lines <- "behind"
			bob.shows(t, `ann: "before"`, `ann: "behind"`)
			cy.shows(t, `ann: "before"`, `ann: "behind"`)
			ann.shows(t)
			time.Sleep(time.Minute) // long enough for the short waits
		}

		stop()
		synctest.Wait() // all are under way; who gives up before the server drains has left at once
		giveUp()
		cy.end(t)
		<-served
		ctx, stop = context.WithCancel(t.Context())
		served = open(t, ctx, &network)
		time.Sleep(9 * time.Second)
		ann.shows(t)
		time.Sleep(3 * time.Second)
		ann.shows(t, "cy left")
		bob.shows(t, "cy left")
		ann.leaves(t)
		bob.leaves(t)
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

// With servers that drain, one after another, each line reaches one of them, once and in order.
func TestLinesReachServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network qsockettest.Network
		var mu sync.Mutex
		var heard []string
		open := func() (*qsocket.Listener[chat.Message], <-chan error) {
			nl, err := network.Listen(address)
			if err != nil {
				t.Fatal(err)
			}
			ln, err := qsocket.NewListener(nl, chat.Protocol, nil)
			if err != nil {
				t.Fatal(err)
			}
			served := make(chan error, 1)
			go func() { // ends after Drain
				served <- ln.Serve(context.Background(), func(ctx context.Context, conn *qsocket.Conn[chat.Message]) {
					for m, err := range conn.All(ctx) {
						if err != nil {
							t.Error(err)
							return
						}
						mu.Lock()
						heard = append(heard, m.(chat.Say).Text)
						mu.Unlock()
						time.Sleep(700 * time.Microsecond) // so that some are under way
					}
				})
			}()
			return ln, served
		}
		ln, served := open()
		ann := come(t, t.Context(), "ann", network.DialContext)
		const lines = 5000
		said := make(chan struct{})
		go func() { // ends with the lines
			defer close(said)
			for i := range lines {
				ann.lines <- fmt.Sprint(i)
				if i%2 == 0 {
					time.Sleep(time.Millisecond)
				}
			}
		}()
		servers := 1
		for saying := true; saying; servers++ {
			select {
			case <-time.After(rand.N(200 * time.Millisecond)):
			case <-said:
				saying = false
			}
			if err := errors.Join(ln.Drain(t.Context(), "replaced"), <-served); err != nil {
				t.Error(err)
			}
			ln, served = open()
		}
		ann.leaves(t)
		ln.Close()
		for i, text := range heard {
			if text != fmt.Sprint(i) {
				t.Fatalf("got line %s, want %d", text, i)
			}
		}
		if len(heard) != lines || servers < 10 {
			t.Errorf("got %d of %d lines, at %d servers", len(heard), lines, servers)
		}
	})
}

// The connection is lost: the guest is back within the shortest wait. What it says while it cannot come back, it says then.
func TestConnectionLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network qsockettest.Network
		ctx, stop := context.WithCancel(t.Context())
		served := open(t, ctx, &network)
		proxy := qsockettest.NewProxy(1, qsockettest.Faults{}, qsockettest.Faults{})
		defer proxy.Close()
		var blocked atomic.Bool
		dial := proxy.Through(func(ctx context.Context, name, address string) (net.Conn, error) {
			if blocked.Load() {
				return nil, syscall.EHOSTUNREACH
			}
			return network.DialContext(ctx, name, address)
		})

		ann := come(t, t.Context(), "ann", network.DialContext)
		ann.shows(t, "ann is here")
		bob := come(t, t.Context(), "bob", dial)
		bob.shows(t, "ann is here", "bob is here")
		ann.shows(t, "bob joined")
		time.Sleep(time.Minute)
		proxy.Cut(qsockettest.RST)
		time.Sleep(50 * time.Millisecond)
		bob.lines <- "back"
		ann.shows(t, "bob left", "bob joined", `bob: "back"`)
		bob.shows(t)

		time.Sleep(time.Minute)
		blocked.Store(true)
		proxy.Cut(qsockettest.RST)
		ann.shows(t, "bob left")
		said := make(chan struct{})
		go func() { // ends when bob is back
			defer close(said)
			bob.lines <- "still here"
		}()
		time.Sleep(time.Hour)
		ann.shows(t)
		blocked.Store(false)
		<-said
		bob.leaves(t)
		bob.shows(t)
		ann.shows(t, "bob joined", `bob: "still here"`, "bob left")
		ann.leaves(t)
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

// A line that a connection no longer accepts is for the next one.
func TestLineIsDue(t *testing.T) {
	for range 30 { // in half of them the line is seen before the end
		a, b := qsockettest.Pipe(t, chat.Protocol, nil)
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		<-a.Done()
		g := guest{lines: make(chan string, 1)}
		g.lines <- "line"
		if err := g.talk(t.Context(), a); err != nil {
			t.Error(err)
		}
		if g.due == "" && len(g.lines) == 0 {
			t.Fatal("a line is lost")
		}
	}
}

// dials notes when a guest dials.
type dials struct {
	mu    sync.Mutex
	times []time.Time
}

func (d *dials) through(dial func(context.Context, string, string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		d.mu.Lock()
		d.times = append(d.times, time.Now())
		d.mu.Unlock()
		return dial(ctx, network, address)
	}
}

// gaps returns the times between them, from a time on.
func (d *dials) gaps(last time.Time) (gaps []time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, at := range d.times {
		if at.After(last) {
			gaps = append(gaps, at.Sub(last))
			last = at
		}
	}
	return gaps
}

// wantBackoff wants waits by chance, up to 50 ms at first and twice as much each time, but no more than 5 s.
func wantBackoff(t *testing.T, gaps []time.Duration) {
	t.Helper()
	limit, least, sum := 50*time.Millisecond, time.Hour, time.Duration(0)
	for i, gap := range gaps {
		if gap > limit {
			t.Fatalf("wait %d is %v, want %v at most", i, gap, limit)
		}
		if limit == 5*time.Second {
			least = min(least, gap)
			sum += gap
		}
		limit = min(2*limit, 5*time.Second)
	}
	if mean := sum / time.Duration(len(gaps)-7); len(gaps) < 100 || mean < 2*time.Second || mean > 3*time.Second || least > time.Second {
		t.Errorf("%d waits with a mean of %v and a least of %v, want them between 0 and 5 s", len(gaps), mean, least)
	}
}

// Without a server, and with one that ends each connection at once, a guest dials less and less often, never at the
// same times as another. A connection that has lasted brings it back to the start.
func TestBackoff(t *testing.T) {
	for name, ending := range map[string]func(context.Context, *qsocket.Conn[chat.Message]){
		"no server":                 nil,
		"ends each connection":      func(context.Context, *qsocket.Conn[chat.Message]) {},
		"panics in each connection": func(context.Context, *qsocket.Conn[chat.Message]) { panic("a fault of the server") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var network qsockettest.Network
				ctx, cancel := context.WithCancel(t.Context())
				serve := func(handle func(context.Context, *qsocket.Conn[chat.Message])) (ln *qsocket.Listener[chat.Message]) {
					nl, err := network.Listen(address)
					if err != nil {
						t.Fatal(err)
					}
					if ln, err = qsocket.NewListener(nl, chat.Protocol, nil); err != nil {
						t.Fatal(err)
					}
					go ln.Serve(context.Background(), handle) // ends with ln
					return ln
				}
				var ln *qsocket.Listener[chat.Message]
				if ending != nil {
					ln = serve(ending)
				}
				var first, second dials
				began := time.Now()
				ann, bob := come(t, ctx, "ann", first.through(network.DialContext)), come(t, ctx, "bob", second.through(network.DialContext))
				time.Sleep(time.Hour)
				gaps, others := first.gaps(began), second.gaps(began)
				wantBackoff(t, gaps)
				wantBackoff(t, others)
				if cmp.Equal(gaps[:10], others[:10]) {
					t.Errorf("two guests dial at the same times, after %v", gaps[:10])
				}

				if ln != nil {
					ln.Close()
				}
				ln = serve(func(_ context.Context, conn *qsocket.Conn[chat.Message]) { <-conn.Done() })
				time.Sleep(time.Minute)
				ended := time.Now()
				if err := ln.Shutdown(t.Context()); err != nil {
					t.Error(err)
				}
				time.Sleep(time.Hour)
				wantBackoff(t, first.gaps(ended))
				cancel()
				for _, v := range []*visit{ann, bob} {
					if err := v.end(t); !errors.Is(err, context.Canceled) {
						t.Errorf("got %v, want %v", err, context.Canceled)
					}
				}
			})
		})
	}
}
