package service

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
	gocmp "github.com/google/go-cmp/cmp"
)

// telling is an Options.Attributes.
func telling(attributes map[string]string) func(context.Context) (map[string]string, error) {
	return func(context.Context) (map[string]string, error) { return attributes, nil }
}

// answering is an Options.Admit.
func answering(err error) func(context.Context, qsocket.Peer, map[string]string, net.Conn) error {
	return func(context.Context, qsocket.Peer, map[string]string, net.Conn) error { return err }
}

// greetEnds makes Conns of the two ends of a connection at the same time, and closes them.
func greetEnds(t testing.TB, na, nb net.Conn, a, b *qsocket.Options) (errA, errB error) {
	t.Helper()
	other := testkit.Async(func() error { return greetEnd(nb, b) })
	errA = greetEnd(na, a)
	return errA, testkit.Result(t, "the other end", other)
}

func greetEnd(nc net.Conn, opts *qsocket.Options) error {
	c, err := qsocket.NewConn(context.Background(), nc, testkit.Named, opts)
	if err == nil {
		testkit.End(c)
	}
	return err
}

// Whichever end has Admit, it is asked about the other one, and what it leaves of the
// attributes is the Conn's.
func TestAdmit(t *testing.T) {
	testkit.ForTransports(t, testkit.Transports, func(t *testing.T, transport string) {
		for _, who := range []string{"client", "server", "both", "nobody"} {
			t.Run(who, func(t *testing.T) {
				asked := make(chan string, 2)
				options := func(end string, size int) *qsocket.Options {
					o := &qsocket.Options{MaxFrame: size, Attributes: telling(map[string]string{"token": "secret of the " + end, "tenant": end})}
					if who != end && who != "both" {
						return o
					}
					o.Admit = func(ctx context.Context, p qsocket.Peer, attributes map[string]string, nc net.Conn) error {
						if _, limited := ctx.Deadline(); !limited {
							t.Error("ctx has no end")
						}
						if s, ok := nc.(*tls.Conn); ok != (transport == "tls") || ok && !s.ConnectionState().HandshakeComplete {
							t.Errorf("got a %T whose handshake is not over, or another one", nc)
						}
						asked <- fmt.Sprintf("%s: %d %s %s", end, p.MaxFrame, attributes["token"], attributes["tenant"])
						delete(attributes, "token")
						attributes["user"] = "of " + attributes["tenant"]
						return nil
					}
					return o
				}
				client, server := testkit.Pair(t, transport, testkit.Named, options("client", 100), options("server", 200))
				want := map[string]string{}
				for _, end := range []struct {
					name, peer string
					size       int
					c          *qsocket.Conn[string]
				}{{"client", "server", 200, client}, {"server", "client", 100, server}} {
					attributes := map[string]string{"token": "secret of the " + end.peer, "tenant": end.peer}
					if who == end.name || who == "both" {
						want[fmt.Sprintf("%s: %d secret of the %s %s", end.name, end.size, end.peer, end.peer)] = ""
						attributes = map[string]string{"tenant": end.peer, "user": "of " + end.peer}
					}
					got := end.c.PeerAttributes()
					if !gocmp.Equal(got, attributes) {
						t.Errorf("%s: got %v, want %v", end.name, got, attributes)
					}
					got["tenant"] = "changed"
					if got := end.c.PeerAttributes()["tenant"]; got != end.peer {
						t.Errorf("%s: got %s, so the map was no copy", end.name, got)
					}
				}
				close(asked)
				got := map[string]string{}
				for a := range asked {
					got[a] = ""
				}
				if !gocmp.Equal(got, want) {
					t.Errorf("asked %v, want %v", got, want)
				}
				testkit.Exchange(t, client, server, "hello")
				testkit.Exchange(t, server, client, "hello")
			})
		}
	})
}

// An end that tells nothing has no attributes, and Admit a map all the same.
func TestAdmitWithoutAttributes(t *testing.T) {
	admit := func(_ context.Context, _ qsocket.Peer, attributes map[string]string, _ net.Conn) error {
		if attributes == nil || len(attributes) > 0 {
			t.Errorf("got %#v, want an empty map", attributes)
		}
		return nil
	}
	for _, told := range []map[string]string{nil, {}} {
		a, b := testkit.Pair(t, "tcp", testkit.Named, &qsocket.Options{Attributes: telling(told)}, &qsocket.Options{Admit: admit})
		if got := b.PeerAttributes(); got != nil {
			t.Errorf("got %#v, want nil", got)
		}
		testkit.Exchange(t, a, b, "hello")
	}
	a, _ := testkit.Pair(t, "tcp", testkit.Text, nil, nil)
	if got := a.PeerAttributes(); got != nil || a.Peer() != (qsocket.Peer{}) {
		t.Errorf("raw mode: got %#v, %v", got, a.Peer())
	}
}

// denial is what becomes of an end that is not let in.
type denial struct {
	name         string
	admit        func(context.Context, qsocket.Peer, map[string]string, net.Conn) error
	field, cause string
	here         string // in the text of the end with Admit
	there        string // Reason at the other end
	code         qsocket.Code
	wraps        error // what Admit has returned
}

var denials = func() []denial {
	refused := qsocket.Refuse("no such token")
	wrapped := fmt.Errorf("private, of client 7: %w", refused)
	private := errors.New("private: the database is gone")
	late := fmt.Errorf("private: %w", context.DeadlineExceeded)
	canceled := fmt.Errorf("private: %w", context.Canceled)
	remote := fmt.Errorf("private: %w", &qsocket.RemoteError{Reason: "private", Code: qsocket.CodeFull})
	other := fmt.Errorf("private: %w", &qsocket.HandshakeError{Field: "proto", Local: "private"})
	long := strings.Repeat("ä", 600)
	return []denial{
		{"Refuse", answering(refused), "refused", "refused", "refused the peer: no such token", "no such token", qsocket.CodeRefused, refused},
		{"Refuse, wrapped", answering(wrapped), "refused", "refused", "private, of client 7: no such token", "no such token", qsocket.CodeRefused, wrapped},
		{"Refuse without words", answering(qsocket.Refuse("")), "refused", "refused", "refused", "refused", qsocket.CodeRefused, nil},
		{"Refuse with many words", answering(qsocket.Refuse(long)), "refused", "refused", "refused the peer: ä", strings.Repeat("ä", 512), qsocket.CodeRefused, nil},
		{"Refuse with words of no UTF-8", answering(qsocket.Refuse("no \xff")), "refused", "refused", `refused the peer: no \xff`, "no \uFFFD", qsocket.CodeRefused, nil},
		{"an error", answering(private), "internal", "internal", "private: the database is gone", "internal error", qsocket.CodeInternal, private},
		{"a timeout of its own", answering(late), "internal", "internal", "private: context deadline exceeded", "internal error", qsocket.CodeInternal, late},
		{"a cancellation of its own", answering(canceled), "internal", "internal", "private: context canceled", "internal error", qsocket.CodeInternal, canceled},
		{"the error of another connection", answering(remote), "internal", "internal", "private: qsocket: closed by peer", "internal error", qsocket.CodeInternal, remote},
		{"the error of another handshake", answering(other), "internal", "internal", "private: qsocket: handshake", "internal error", qsocket.CodeInternal, other},
		{"a panic", func(context.Context, qsocket.Peer, map[string]string, net.Conn) error { panic("private: oh no") },
			"internal", "panic", "private: oh no", "internal error", qsocket.CodeInternal, nil},
		{"the end of its goroutine", func(context.Context, qsocket.Peer, map[string]string, net.Conn) error { runtime.Goexit(); return nil },
			"internal", "internal", "Options.Admit has ended its goroutine", "internal error", qsocket.CodeInternal, nil},
		{"an error that panics", answering((*fickleError)(nil)), "internal", "internal", "Options.Admit: <nil>", "internal error", qsocket.CodeInternal, nil},
	}
}()

// fickleError is an error whose methods panic for nil.
type fickleError struct{ text string }

func (e *fickleError) Error() string { return e.text }

// checkHere checks the error of the end whose Admit has said no.
func (d denial) checkHere(t *testing.T, err error) {
	t.Helper()
	var he *qsocket.HandshakeError
	var re *qsocket.RemoteError
	if !errors.As(err, &he) || he.Field != d.field || he.Peer != "" || !strings.Contains(err.Error(), d.here) || !strings.Contains(he.Error(), d.here) {
		t.Errorf("the end with Admit: got %v, want field %s and %q", err, d.field, d.here)
	}
	if d.wraps != nil && !errors.Is(err, d.wraps) {
		t.Errorf("the end with Admit: got %v, which does not wrap %v", err, d.wraps)
	} else if d.wraps == nil && errors.As(err, &re) {
		t.Errorf("the end with Admit: got %v, want no RemoteError", err)
	}
	if he != nil && he.Final() != (d.field == "refused") {
		t.Errorf("Final: got %v", he.Final())
	}
}

// checkThere checks the error of the other end.
func (d denial) checkThere(t *testing.T, err error) {
	t.Helper()
	var he *qsocket.HandshakeError
	var re *qsocket.RemoteError
	if !errors.As(err, &he) || *he != (qsocket.HandshakeError{Field: d.field, Peer: d.there}) || !errors.As(err, &re) || *re != (qsocket.RemoteError{Reason: d.there, Code: d.code}) {
		t.Errorf("the other end: got %#v, want field %s, %q", err, d.field, d.there)
		return
	}
	if strings.Contains(err.Error(), "private") || strings.Contains(err.Error(), "oh no") {
		t.Errorf("the other end was told %v", err)
	}
	if he.Final() != (d.field == "refused") || len(err.Error()) > 1024 {
		t.Errorf("Final: got %v for %v", he.Final(), err)
	}
}

// A refusal is an error on both ends, with the words of Refuse and no others, over whatever
// they are connected.
func TestAdmitDenies(t *testing.T) {
	testkit.ForTransports(t, testkit.Transports, func(t *testing.T, transport string) {
		for _, d := range denials {
			for _, side := range []string{"client", "server"} {
				t.Run(d.name+", "+side, func(t *testing.T) {
					client, server := testkit.NetPair(t, transport)
					if side == "client" {
						client, server = server, client
						if transport == "tls" {
							t.Skip("the same") // the roles are those of TLS
						}
					}
					there, here := greetEnds(t, client, server, nil, &qsocket.Options{Admit: d.admit})
					d.checkHere(t, here)
					d.checkThere(t, there)
				})
			}
		}
	})
}

// Where both ends have Admit, each learns of the other's verdict, whatever its own is.
func TestAdmitOfBothDenies(t *testing.T) {
	testkit.ForTransports(t, testkit.Transports, func(t *testing.T, transport string) {
		yes := &qsocket.Options{Admit: answering(nil)}
		for _, d := range denials[:6] {
			no := &qsocket.Options{Admit: d.admit}
			for range 20 {
				na, nb := testkit.NetPair(t, transport)
				there, here := greetEnds(t, na, nb, yes, no)
				d.checkThere(t, there)
				d.checkHere(t, here)

				na, nb = testkit.NetPair(t, transport)
				here, there = greetEnds(t, na, nb, no, yes)
				d.checkThere(t, there)
				d.checkHere(t, here)
			}
			na, nb := testkit.NetPair(t, transport)
			a, b := greetEnds(t, na, nb, no, no)
			d.checkHere(t, a)
			d.checkHere(t, b)
		}
	})
}

// A Listener counts what it refuses by cause and logs it, with none of the attributes, and
// hands out nothing; nor does it if its client refuses it.
func TestListenerAdmit(t *testing.T) {
	testkit.ForTransports(t, testkit.KernelTransports, func(t *testing.T, transport string) {
		for _, d := range denials {
			for _, side := range []string{"the server's", "the client's"} {
				t.Run(d.name+", "+side, func(t *testing.T) {
					var log testkit.LogRecorder
					opts := &qsocket.Options{Logger: log.Logger(), Attributes: telling(map[string]string{"token": "secret"})}
					dialOpts := *cmp.Or(testkit.DialOptions(transport), &qsocket.Options{})
					dialOpts.Attributes, dialOpts.Logger = opts.Attributes, log.Logger()
					cause := d.cause
					if side == "the server's" {
						opts.Admit = d.admit
					} else {
						cause, dialOpts.Admit = "remote", d.admit
					}
					ln := testkit.ListenOn(t, transport, testkit.Named, opts)
					_, err := qsocket.Dial(testkit.Context(t), ln.Addr().Network(), ln.Addr().String(), testkit.Named, &dialOpts)
					if side == "the server's" {
						d.checkThere(t, err)
					} else {
						d.checkHere(t, err)
					}
					testkit.Eventually(t, "the refusal to be counted", func() bool { return ln.Stats().Refused == 1 })
					if got := ln.Refusals(); !gocmp.Equal(got, map[string]uint64{cause: 1}) || ln.Stats().Accepted != 0 {
						t.Errorf("got %v, want one %s", got, cause)
					}
					if side == "the server's" && log.Count("level=WARN", "handshake refused", "cause="+cause) != 1 {
						t.Errorf("the refusal is not logged:\n%s", log.Text())
					}
					if panics := log.Count("stack="); (panics == 1) != (d.name == "a panic") {
						t.Errorf("%d stacks are logged", panics)
					}
					if log.Count("secret") > 0 {
						t.Errorf("an attribute is logged:\n%s", log.Text())
					}
				})
			}
		}
	})
}

// What Dial waits for is the verdict: an Admit that takes its time.
func TestSlowAdmit(t *testing.T) {
	for _, test := range []struct {
		name           string
		client, server time.Duration
		want           time.Duration
	}{
		{"of the server", 0, 5 * time.Second, 5 * time.Second},
		{"of the client", 5 * time.Second, 0, 5 * time.Second},
		{"of both", 7 * time.Second, 5 * time.Second, 7 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slow := func(d time.Duration) *qsocket.Options {
					if d == 0 {
						return nil
					}
					return &qsocket.Options{Admit: func(context.Context, qsocket.Peer, map[string]string, net.Conn) error { time.Sleep(d); return nil }}
				}
				for name, pipe := range map[string]func() (net.Conn, net.Conn){
					"net.Pipe":    net.Pipe,
					"qsockettest": func() (net.Conn, net.Conn) { a, b := qsockettest.NetPipe(); return a, b },
				} {
					start := time.Now()
					na, nb := pipe()
					var took [2]time.Duration
					other := testkit.Async(func() error { err := greetEnd(nb, slow(test.server)); took[1] = time.Since(start); return err })
					err := greetEnd(na, slow(test.client))
					took[0] = time.Since(start)
					if errB := <-other; err != nil || errB != nil || took != [2]time.Duration{test.want, test.want} {
						t.Errorf("%s: got %v and %v after %v, want %v", name, err, errB, took, test.want)
					}
				}
			})
		})
	}
}

// An Admit, or Attributes, that goes on when its time is over is left behind. Each end
// returns after HandshakeTimeout, and says what it has waited for.
func TestStuckAdmit(t *testing.T) {
	type options struct {
		admit, attributes string // what they do
		timeout           time.Duration
	}
	const nine = 9 * time.Second // else it would be chance which end is the first to give up
	for _, test := range []struct {
		name           string
		server, client options
		here, there    string // in the errors
	}{
		{"Admit", options{admit: "stuck"}, options{timeout: nine}, "after 10s Options.Admit had not answered", "after 9s the peer's Options.Admit had not answered"},
		{"Admit that ends with its ctx", options{admit: "ends"}, options{timeout: nine}, "after 10s Options.Admit had not answered", "after 9s the peer's Options.Admit had not answered"},
		{"Admit that lets in with the end of its ctx", options{admit: "lets in"}, options{timeout: nine}, "HandshakeTimeout", "after 9s the peer's Options.Admit had not answered"},
		{"a client with more time", options{admit: "stuck", timeout: 5 * time.Second}, options{}, "after 5s Options.Admit had not answered", "the connection ended before the peer's Options.Admit had answered"},
		{"both", options{admit: "stuck"}, options{admit: "ends"}, "after 10s Options.Admit had not answered", "after 10s Options.Admit had not answered"},
		{"Attributes", options{attributes: "stuck"}, options{timeout: nine}, "after 10s Options.Attributes had not answered", "none came for 9s"},
		{"Attributes that end with their ctx", options{attributes: "ends"}, options{timeout: nine}, "after 10s Options.Attributes had not answered", "none came for 9s"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				defer synctest.Wait()
				defer close(release)
				do := func(ctx context.Context, what string) error {
					if what == "stuck" {
						<-release
						return nil
					}
					<-ctx.Done()
					if what == "ends" {
						return ctx.Err()
					}
					return nil
				}
				make := func(o options) *qsocket.Options {
					opts := &qsocket.Options{HandshakeTimeout: o.timeout}
					if o.admit != "" {
						opts.Admit = func(ctx context.Context, _ qsocket.Peer, _ map[string]string, _ net.Conn) error {
							return do(ctx, o.admit)
						}
					}
					if o.attributes != "" {
						opts.Attributes = func(ctx context.Context) (map[string]string, error) { return nil, do(ctx, o.attributes) }
					}
					return opts
				}
				start := time.Now()
				na, nb := qsockettest.NetPipe()
				var tookHere time.Duration
				other := testkit.Async(func() error { err := greetEnd(nb, make(test.server)); tookHere = time.Since(start); return err })
				there := greetEnd(na, make(test.client))
				tookThere := time.Since(start)
				here := <-other
				const all = 10 * time.Second
				if !errors.Is(here, os.ErrDeadlineExceeded) || !strings.Contains(here.Error(), test.here) || tookHere != cmp.Or(test.server.timeout, all) {
					t.Errorf("got %v after %v, want: %s", here, tookHere, test.here)
				}
				if want := min(cmp.Or(test.client.timeout, all), cmp.Or(test.server.timeout, all)); tookThere != want || !strings.Contains(there.Error(), test.there) {
					t.Errorf("the other end: got %v after %v, want: %s", there, tookThere, test.there)
				}
				var he *qsocket.HandshakeError
				if !errors.As(there, &he) || he.Field != "hello" || he.Final() {
					t.Errorf("the other end: got %v, want field hello", there)
				}
			})
		})
	}
}
