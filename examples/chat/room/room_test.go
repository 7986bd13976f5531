package room

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/examples/chat"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

const address = "room"

// open opens a room in memory. stop closes it, as a signal does, and returns what Serve says.
func open(t *testing.T) (opts *qsocket.Options, stop func() error) {
	t.Helper()
	door := make(chat.Door)
	for _, name := range []string{"ann", "bob", "cy"} {
		door[sha256.Sum256([]byte("secret-"+name[:1]))] = name
	}
	nl := qsockettest.Listen(address)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, nl, door, slog.New(slog.DiscardHandler)) }() // ends with ctx
	return &qsocket.Options{DialContext: nl.DialContext}, func() error {
		cancel()
		return <-served
	}
}

// enter comes in with the token of one of those whom open lets in, and wants these to be here.
func enter(t *testing.T, opts *qsocket.Options, name string, here ...string) *qsocket.Conn[chat.Message] {
	t.Helper()
	own := *opts
	own.Attributes = chat.Show("secret-" + name[:1])
	conn, err := qsocket.Dial(t.Context(), "tcp", address, chat.Protocol, &own)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	hears(t, conn, chat.Here{Names: here})
	return conn
}

// inTime bounds waiting: heartbeats keep the time of a bubble going, so a test that is stuck is stuck for good.
func inTime(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	t.Cleanup(cancel)
	return ctx
}

// hears wants the next messages at conn.
func hears(t *testing.T, conn *qsocket.Conn[chat.Message], want ...chat.Message) {
	t.Helper()
	ctx := inTime(t)
	for _, m := range want {
		got, err := conn.Recv(ctx)
		if err != nil {
			t.Fatalf("got %v, want %v", err, m)
		}
		if diff := cmp.Diff(m, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

// hearsNothing wants no message at conn for an hour.
func hearsNothing(t *testing.T, conn *qsocket.Conn[chat.Message]) {
	t.Helper()
	if m, err := conn.Recv(inTime(t)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, %v, want nothing", m, err)
	}
}

func say(t *testing.T, conn *qsocket.Conn[chat.Message], text string) {
	t.Helper()
	if err := conn.Send(inTime(t), chat.Say{Text: text}); err != nil {
		t.Fatal(err)
	}
}

func TestTalk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts, stop := open(t)
		ann := enter(t, opts, "ann", "ann")
		bob := enter(t, opts, "bob", "ann", "bob")
		hears(t, ann, chat.Joined{Name: "bob"})

		say(t, ann, "hello, bob")
		hears(t, bob, chat.Said{Name: "ann", Text: "hello, bob"})
		say(t, bob, "hello, ann")
		hears(t, ann, chat.Said{Name: "bob", Text: "hello, ann"})
		hearsNothing(t, bob) // not what he has said himself

		ann.Close()
		bob.Close()
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// Whatever several say at the same time, all hear it in the same order.
func TestOneOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts, stop := open(t)
		ctx := inTime(t)
		const listeners, lines = 50, 300
		var heard [listeners][]string
		var wg sync.WaitGroup
		for i := range listeners {
			conn := enter(t, opts, "cy", "cy")
			wg.Go(func() { // ends with the lines
				for len(heard[i]) < 2*lines {
					m, err := conn.Recv(ctx)
					if err != nil {
						t.Error(err)
						return
					}
					if said, ok := m.(chat.Said); ok {
						heard[i] = append(heard[i], said.Name+said.Text)
					}
				}
				conn.Close()
			})
		}
		ann := enter(t, opts, "ann", "ann", "cy")
		bob := enter(t, opts, "bob", "ann", "bob", "cy")
		for i := range lines {
			say(t, ann, fmt.Sprint(i))
			say(t, bob, fmt.Sprint(i))
		}
		wg.Wait()
		for i := range heard {
			if diff := cmp.Diff(heard[0], heard[i]); diff != "" {
				t.Errorf("-listener 0 +listener %d:\n%s", i, diff)
			}
		}
		ann.Close()
		bob.Close()
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// Who is here, whichever way a connection ends, and with however many connections.
func TestPresence(t *testing.T) {
	for name, test := range map[string]struct {
		end    func(bob *qsocket.Conn[chat.Message], proxy *qsockettest.Proxy)
		within time.Duration
		err    error // of bob's connection
	}{
		"goodbye": {
			func(bob *qsocket.Conn[chat.Message], _ *qsockettest.Proxy) { bob.Close() }, 0, net.ErrClosed,
		},
		"half a goodbye": {
			func(bob *qsocket.Conn[chat.Message], _ *qsockettest.Proxy) { bob.CloseWrite() }, 0, io.EOF,
		},
		"a reset": {
			func(_ *qsocket.Conn[chat.Message], proxy *qsockettest.Proxy) { proxy.Cut(qsockettest.RST) }, 0, syscall.ECONNRESET,
		},
		"silence": {
			func(_ *qsocket.Conn[chat.Message], proxy *qsockettest.Proxy) { proxy.Cut(qsockettest.BlackHole) }, 30 * time.Second, qsocket.ErrPeerDead, // twice the heartbeat
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				opts, stop := open(t)
				proxy := qsockettest.NewProxy(1, qsockettest.Faults{}, qsockettest.Faults{})
				defer proxy.Close()
				through := &qsocket.Options{DialContext: proxy.Through(opts.DialContext)}

				ann := enter(t, opts, "ann", "ann")
				bob := enter(t, through, "bob", "ann", "bob")
				hears(t, ann, chat.Joined{Name: "bob"})
				began := time.Now()
				test.end(bob, proxy)
				hears(t, ann, chat.Left{Name: "bob"})
				if took := time.Since(began); took > test.within {
					t.Errorf("noticed after %v, want %v", took, test.within)
				}
				if m, err := bob.Recv(inTime(t)); !errors.Is(err, test.err) {
					t.Errorf("bob got %v, %v, want %v", m, err, test.err)
				}
				cy := enter(t, opts, "cy", "ann", "cy")
				ann.Close()
				cy.Close()
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// One who comes back before the loss of the connection is noticed has neither left nor joined.
func TestPresenceOfTwoConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts, stop := open(t)
		proxy := qsockettest.NewProxy(1, qsockettest.Faults{}, qsockettest.Faults{})
		defer proxy.Close()
		ann := enter(t, opts, "ann", "ann")
		enter(t, &qsocket.Options{DialContext: proxy.Through(opts.DialContext)}, "bob", "ann", "bob")
		hears(t, ann, chat.Joined{Name: "bob"})
		proxy.Cut(qsockettest.BlackHole)
		time.Sleep(time.Second)
		bob := enter(t, opts, "bob", "ann", "bob")
		hearsNothing(t, ann) // in which the first connection has been given up
		bob.Close()
		hears(t, ann, chat.Left{Name: "bob"})
		ann.Close()
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestWrongToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts, stop := open(t)
		ann := enter(t, opts, "ann", "ann")
		for _, show := range []func(context.Context) (map[string]string, error){nil, chat.Show(""), chat.Show("secret-d")} {
			own := *opts
			own.Attributes = show
			_, err := qsocket.Dial(t.Context(), "tcp", address, chat.Protocol, &own)
			var refused *qsocket.HandshakeError
			if !errors.As(err, &refused) || refused.Field != "refused" || refused.Peer != "no valid token" || !refused.Final() {
				t.Errorf("got %v, want a final refusal and its reason", err)
			}
		}
		hearsNothing(t, ann)
		ann.Close()
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// One who reads nothing is dropped. The others get every line, in order, and do not wait.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts, stop := open(t)
		ann := enter(t, opts, "ann", "ann")
		bob := enter(t, opts, "bob", "ann", "bob")
		slow := enter(t, opts, "cy", "ann", "bob", "cy") // receives nothing from now on
		hears(t, ann, chat.Joined{Name: "bob"}, chat.Joined{Name: "cy"})
		hears(t, bob, chat.Joined{Name: "cy"})

		ctx := inTime(t)
		const lines = 1000
		began := time.Now()
		go func() { // ends with the lines
			for i := range lines {
				if err := ann.Send(ctx, chat.Say{Text: fmt.Sprint(strings.Repeat("-", 500), i)}); err != nil {
					return // the test has failed
				}
			}
		}()
		left := 0
		for next := 0; next < lines; {
			m, err := bob.Recv(ctx)
			if err != nil {
				t.Fatal(err)
			}
			switch m := m.(type) {
			case chat.Said:
				if want := fmt.Sprint(strings.Repeat("-", 500), next); m.Text != want {
					t.Fatalf("got %s, want %s", m.Text, want)
				}
				next++
			case chat.Left:
				left++
			}
		}
		if took := time.Since(began); took != (lines-1)*pace {
			t.Errorf("took %v, want %v: the others wait for none but the speaker", took, (lines-1)*pace)
		}
		if left == 0 {
			hears(t, bob, chat.Left{Name: "cy"})
		}
		hears(t, ann, chat.Left{Name: "cy"})
		for range slow.All(ctx) { // what it can still get
		}
		if slow.Err() == nil {
			t.Error("to the one that was dropped it looks like a clean end")
		}
		ann.Close()
		bob.Close()
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// A client that sends what is no line, or one that is too long, is told so. A line of MaxText arrives.
func TestOddClient(t *testing.T) {
	for name, m := range map[string]chat.Message{
		"of the server": chat.Said{Name: "ann", Text: "I am ann"},
		"too long":      chat.Say{Text: strings.Repeat("x", chat.MaxText+1)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				opts, stop := open(t)
				ann := enter(t, opts, "ann", "ann")
				bob := enter(t, opts, "bob", "ann", "bob")
				hears(t, ann, chat.Joined{Name: "bob"})
				longest := strings.Repeat("x", chat.MaxText)
				say(t, bob, longest)
				if err := bob.Send(t.Context(), m); err != nil {
					t.Fatal(err)
				}
				hears(t, ann, chat.Said{Name: "bob", Text: longest}, chat.Left{Name: "bob"})
				var remote *qsocket.RemoteError
				if _, err := bob.Recv(inTime(t)); !errors.As(err, &remote) || remote.Code != qsocket.CodeBadMessage {
					t.Errorf("got %v, want a bad message", err)
				}
				ann.Close()
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A client that does not heed GoingAway is cut off, and Serve says so.
func TestStopWithoutClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts, stop := open(t)
		ann := enter(t, opts, "ann", "ann")
		began := time.Now()
		stopped := make(chan error)
		go func() { stopped <- stop() }()
		_, err := ann.Recv(inTime(t))
		var remote *qsocket.RemoteError
		if !errors.As(err, &remote) || remote.Code != qsocket.CodeGoingAway || remote.Reason != "the server stops" {
			t.Errorf("got %v, want to learn that the server goes away", err)
		}
		if took := time.Since(began); took != patience {
			t.Errorf("cut off after %v, want %v", took, patience)
		}
		if err := <-stopped; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
		}
	})
}
