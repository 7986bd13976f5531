package service

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
	"github.com/google/go-cmp/cmp"
)

// isFull reports whether err is what a client gets of a Listener at its MaxConns.
func isFull(err error) bool {
	var he *qsocket.HandshakeError
	var re *qsocket.RemoteError
	return errors.As(err, &he) && *he == qsocket.HandshakeError{Field: "full", Peer: "full"} && !he.Final() &&
		errors.As(err, &re) && *re == qsocket.RemoteError{Reason: "full", Code: qsocket.CodeFull}
}

// fullListener returns a Listener with limit places that are taken, by clients that stay.
func fullListener(t *testing.T, nl *fakeListener, limit int, opts qsocket.Options) *qsocket.Listener[string] {
	opts.MaxConns = limit
	ln, err := qsocket.NewListener(nl, testkit.Named, &opts)
	if err != nil {
		t.Fatal(err)
	}
	for range limit {
		c, err := qsocket.NewConn(t.Context(), nl.buffered(), testkit.Named, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { testkit.End(c) })
	}
	synctest.Wait()
	return ln
}

// buffered connects over a pipe with buffers.
func (l *fakeListener) buffered() net.Conn {
	client, server := qsockettest.NetPipe()
	l.queue <- server
	return client
}

// A client beyond MaxConns is told so, whether or not it has Admit itself, and the next one is
// let in when another has left. That it begins and ends is logged once each.
func TestFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log testkit.LogRecorder
		nl := newFakeListener()
		attributes := telling(map[string]string{"region": "north"})
		ln := fullListener(t, nl, 2, qsocket.Options{Logger: log.Logger(), Attributes: attributes, Admit: answering(nil)})
		defer testkit.EndListener(ln)
		admit := &qsocket.Options{Admit: func(_ context.Context, _ qsocket.Peer, attributes map[string]string, _ net.Conn) error {
			if attributes["region"] != "north" {
				t.Errorf("the full end has told %v", attributes)
			}
			return nil
		}}
		start := time.Now()
		for i := range 10 {
			for _, nc := range []net.Conn{nl.client(t), nl.buffered()} {
				for _, opts := range []*qsocket.Options{nil, admit}[i%2:][:1] {
					if err := greetEnd(nc, opts); !isFull(err) {
						t.Errorf("got %v, want that it is full", err)
					}
				}
			}
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("it took %v", took)
		}
		synctest.Wait()
		if got := ln.Refusals(); !cmp.Equal(got, map[string]uint64{"full": 20}) {
			t.Errorf("got %v, want 20 full", got)
		}
		if got, want := ln.Stats(), (qsocket.ListenerStats{Open: 2, Accepted: 2, Refused: 20}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if got := log.Count("level=WARN", "qsocket: full: ", "MaxConns=2"); got != 1 || log.Count("level=WARN") != 1 {
			t.Errorf("it is logged %d times:\n%s", got, log.Text())
		}

		// A client that leaves and another one that comes at once are no end of it.
		for range 3 {
			c, err := ln.Accept(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			testkit.End(c)
			synctest.Wait()
			c, err = qsocket.NewConn(t.Context(), nl.buffered(), testkit.Named, nil)
			if err != nil {
				t.Errorf("got %v after a client had left", err)
				continue
			}
			defer testkit.End(c)
			if err := greetEnd(nl.buffered(), nil); !isFull(err) {
				t.Errorf("got %v, want that it is full", err)
			}
		}
		time.Sleep(time.Minute)
		if got := log.Count("no longer full"); got > 0 {
			t.Errorf("the end is logged %d times, though it is full", got)
		}
		c, err := ln.Accept(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		testkit.End(c)
		time.Sleep(time.Second)
		c, err = qsocket.NewConn(t.Context(), nl.buffered(), testkit.Named, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer testkit.End(c)
		time.Sleep(time.Second)
		synctest.Wait()
		if got := log.Count("level=INFO", "no longer full", "after=1m1s", "refused=23"); got != 1 {
			t.Errorf("the end is logged %d times:\n%s", got, log.Text())
		}
	})
}

// Silent clients hold 16 places for a second each, and others wait meanwhile. Close ends
// them at once.
func TestFullOfSilentClients(t *testing.T) {
	const silent = 40
	synctest.Test(t, func(t *testing.T) {
		nl := newFakeListener()
		ln := fullListener(t, nl, 1, qsocket.Options{})
		defer testkit.EndListener(ln)
		var clients []net.Conn
		for range silent {
			clients = append(clients, nl.client(t))
		}
		start := time.Now()
		if err := greetEnd(nl.client(t), nil); !isFull(err) || time.Since(start) != 2*time.Second {
			t.Errorf("got %v after %v, want that it is full after those before it", err, time.Since(start))
		}
		synctest.Wait() // the others whose time ends in this moment
		for _, nc := range clients[:32] {
			if _, err := io.ReadFull(nc, make([]byte, 1)); err != io.EOF {
				t.Errorf("a silent client got %v, want the end", err)
			}
		}
		if got := ln.Refusals(); !cmp.Equal(got, map[string]uint64{"full": 33}) || ln.Stats().Handshaking != silent-32 {
			t.Errorf("got %v and %+v", got, ln.Stats())
		}
		before := time.Now()
		if err := ln.Close(); err != nil || time.Since(before) != 0 {
			t.Errorf("Close: got %v after %v", err, time.Since(before))
		}
		if got := ln.Refusals(); !cmp.Equal(got, map[string]uint64{"full": 33, "closed": silent - 32}) || ln.Stats().Handshaking != 0 {
			t.Errorf("got %v and %+v", got, ln.Stats())
		}
	})
}

// A place that has been reserved becomes a slot when there is one by the time the client comes.
func TestFullNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nl := newFakeListener()
		ln := fullListener(t, nl, 1, qsocket.Options{})
		defer testkit.EndListener(ln)
		for range 20 { // more than there are places
			c, err := ln.Accept(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			testkit.End(c)
			client, err := qsocket.NewConn(t.Context(), nl.buffered(), testkit.Named, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer testkit.End(client)
			synctest.Wait()
		}
		if got, want := ln.Stats(), (qsocket.ListenerStats{Open: 1, Accepted: 21}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

// In raw mode accepting waits, and that is logged.
func TestFullInRawMode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log testkit.LogRecorder
		nl := newFakeListener()
		ln, err := qsocket.NewListener(nl, testkit.Text, &qsocket.Options{MaxConns: 1, Logger: log.Logger()})
		if err != nil {
			t.Fatal(err)
		}
		defer testkit.EndListener(ln)
		for range 5 {
			nl.client(t)
		}
		for range 4 {
			time.Sleep(time.Hour)
			c, err := ln.Accept(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got := log.Count("full"); got != 1 || log.Count("level=WARN", "qsocket: full: accepting waits", "MaxConns=1") != 1 {
				t.Fatalf("it is logged %d times:\n%s", got, log.Text())
			}
			testkit.End(c)
		}
		c, err := ln.Accept(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		testkit.End(c)
		time.Sleep(2 * time.Second)
		if got := log.Count("level=INFO", "no longer full", "after=4h0m0s", "refused=0"); got != 1 {
			t.Errorf("the end is logged %d times:\n%s", got, log.Text())
		}
	})
}

// What is told to a client whose hello is of another protocol is that, and the last connection, over
// which something panics, hurts nobody.
func TestFullOfOthers(t *testing.T) {
	ca := testkit.CA()
	ln := testkit.ListenOn(t, "tcp", testkit.Named, &qsocket.Options{MaxConns: 1, TLS: &tls.Config{
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if hello.ServerName == "panic.test" {
				panic("oh no")
			}
			return &ca.Server, nil
		},
	}})
	testkit.DialTo(t, "tls", ln, testkit.Named)
	ctx := testkit.Context(t)
	dial := func(p qsocket.Protocol[string], config *tls.Config) error {
		_, err := qsocket.Dial(ctx, "tcp", ln.Addr().String(), p, &qsocket.Options{TLS: config})
		return err
	}
	var he *qsocket.HandshakeError
	if err := dial(qsocket.Protocol[string]{Name: "text/2", Codec: testkit.TextCodec}, testkit.ClientTLS()); !errors.As(err, &he) || he.Field != "proto" {
		t.Errorf("got %v, want field proto", err)
	}
	if err := dial(testkit.Named, &tls.Config{RootCAs: ca.Pool, ServerName: "panic.test"}); err == nil {
		t.Error("no error")
	}
	if err := dial(testkit.Named, testkit.ClientTLS()); !isFull(err) {
		t.Errorf("got %v, want that it is full", err)
	}
	nc := testkit.NetDial(t, ln)
	io.WriteString(nc, "GET / HTTP/1.0\r\n\r\n")
	nc.Close()
	testkit.Eventually(t, "the refusals to be counted", func() bool { return ln.Stats().Refused == 4 })
	if got := ln.Refusals(); !cmp.Equal(got, map[string]uint64{"proto": 1, "panic": 1, "full": 2}) {
		t.Errorf("got %v", got)
	}
}

// A peer of before the codes gets a hello and a goodbye with a reason.
func TestFullOlderPeer(t *testing.T) {
	ln := testkit.ListenOn(t, "tcp", testkit.Named, &qsocket.Options{MaxConns: 1})
	testkit.DialTo(t, "tcp", ln, testkit.Named)
	s := testkit.WirePeer{T: t, Conn: testkit.NetDial(t, ln)}
	s.Send(testkit.GoldenHello + "00000001 61")
	s.ExpectHello()
	s.Expect("8000001a 01 83 a6 726561736f6e a4 66756c6c a4 66756c6c c3 a4 636f6465 09")
	s.ExpectEOF()
}

// 100 clients at a server with 10 places: as many as that are served at a time, the others are told
// within seconds, however many they are, and all are served in the end.
func TestFullUnderClients(t *testing.T) {
	const limit = 10
	testkit.ForTransports(t, testkit.KernelTransports, func(t *testing.T, transport string) {
		clients := 100
		if transport == "tls" { // whose handshakes take the processor, and each client has a second
			clients = 30
		}
		ctx := testkit.Context(t)
		ln := testkit.ListenOn(t, transport, testkit.Named, &qsocket.Options{MaxConns: limit})
		var wg sync.WaitGroup
		told, in := make(chan struct{}, clients), make(chan *qsocket.Conn[string], clients)
		dial := func() (*qsocket.Conn[string], error) {
			return qsocket.Dial(ctx, ln.Addr().Network(), ln.Addr().String(), testkit.Named, testkit.DialOptions(transport))
		}
		for range clients {
			wg.Go(func() {
				c, err := dial()
				switch {
				case err == nil:
					in <- c
				case isFull(err):
					told <- struct{}{}
				default:
					t.Errorf("got %v, want that it is full", err)
				}
			})
		}
		wg.Wait()
		if len(in) != limit || len(told) != clients-limit {
			t.Errorf("%d are in and %d have been told", len(in), len(told))
		}
		testkit.Eventually(t, "the refusals to be counted", func() bool { return ln.Stats().Refused == uint64(clients-limit) })
		if got, want := fmt.Sprint(ln.Refusals(), ln.Stats().Open), fmt.Sprintf("map[full:%d] %d", clients-limit, limit); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		for range limit {
			testkit.End(<-in)
		}

		serveCtx, cancel := context.WithCancel(ctx)
		served := testkit.Serve(serveCtx, ln, testkit.Echo)
		for range clients {
			wg.Go(func() {
				for wait := time.Millisecond; ; wait *= 2 {
					c, err := dial()
					if err == nil {
						testkit.Exchange(t, c, c, "hello")
						c.Close()
						return
					}
					if !isFull(err) {
						t.Errorf("got %v, want that it is full", err)
						return
					}
					time.Sleep(min(wait, 100*time.Millisecond))
				}
			})
		}
		wg.Wait()
		cancel()
		if err := testkit.Result(t, "Serve", served); err != nil {
			t.Error(err)
		}
	})
}
