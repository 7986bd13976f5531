package faults

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// Clients that connect and say nothing, neither TLS nor hello, do not delay others.
func TestFault07SilentClients(t *testing.T) {
	testkit.CheckGoroutines(t)
	silent := min(1000, openFiles()/2-100) // two ends of each are in this process
	if silent < 10 {
		t.Skipf("only %d files may be open", openFiles())
	}
	for _, transport := range []string{"tcp", "tls"} {
		t.Run(transport, func(t *testing.T) {
			// One that waited for the handshake of a silent client would not be served in time.
			ln := testkit.ListenOn(t, transport, testkit.Named, &qsocket.Options{HandshakeTimeout: 10 * testkit.Timeout})
			for range silent {
				testkit.NetDial(t, ln)
			}
			var times []time.Duration
			for range 5 {
				start := time.Now()
				client := testkit.DialTo(t, transport, ln, testkit.Named)
				server := testkit.Accept(t, ln)
				testkit.Exchange(t, client, server, "hello")
				times = append(times, time.Since(start))
			}
			slices.Sort(times)
			if got := ln.Stats(); got.Handshaking != silent {
				t.Errorf("%d clients in the handshake, want %d", got.Handshaking, silent)
			}
			t.Logf("beside %d silent clients a good one was served in %v, the slowest of 5 in %v (%s)", silent, round(times[2]), round(times[4]), transport)
		})
	}
}

// A consumer that has stalled costs the other connections nothing, and its own
// Conn lives on although its peer cannot be heard.
func TestFault11StalledConsumer(t *testing.T) {
	testkit.CheckGoroutines(t)
	const conns = 100
	each := fullCount(5000, 20_000)
	if testkit.RaceEnabled {
		each = 500
	}
	ctx := testkit.Context(t)
	ln := testkit.ListenOn(t, "tcp", rawNamed, nil)
	release := make(chan struct{})
	stalledOne := make(chan struct{}, 1)
	done := make(chan int, conns) // messages that a handler has taken
	served := testkit.Serve(ctx, ln, func(ctx context.Context, c *qsocket.Conn[[]byte]) {
		first, err := c.Recv(ctx)
		if err != nil {
			return
		}
		if sender, _ := testkit.ParseNumbered(first); sender == 0 {
			stalledOne <- struct{}{}
			<-release
		}
		n := 0
		for range c.Messages() {
			if n++; n == each {
				done <- n
				n = 0
			}
		}
	})
	var clients []*qsocket.Conn[[]byte]
	for i := range conns {
		c := testkit.DialTo(t, "tcp", ln, rawNamed)
		if err := c.Send(ctx, testkit.Numbered(i, 0, 8)); err != nil {
			t.Fatal(err)
		}
		clients = append(clients, c)
	}
	<-stalledOne
	flood := func() time.Duration { // of the 99 others
		start := time.Now()
		var wg sync.WaitGroup
		for _, c := range clients[1:] {
			wg.Go(func() {
				for i := range each {
					if err := c.Send(ctx, testkit.Numbered(1, i, 100)); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		for range conns - 1 {
			testkit.Result(t, "a consumer", done)
		}
		wg.Wait()
		return time.Since(start)
	}
	best := func() time.Duration { // of four: the machine has other work, too
		return min(flood(), flood(), flood(), flood())
	}
	alone := best()
	stalled, stop := context.WithCancel(ctx)
	stuck := testkit.Async(func() int { // fills every buffer on the way to the stalled consumer, and waits
		n := 0
		for clients[0].Send(stalled, testkit.Numbered(0, n, 1000)) == nil {
			n++
		}
		return n
	})
	testkit.Eventually(t, "the stalled one to be full", func() bool { return clients[0].Stats().SendBuffered > 200<<10 })
	beside := best()
	for tries := 0; tries < 5 && beside > 5*alone+time.Second; tries++ { // the machine has got more to do since
		beside = min(beside, best())
	}
	stop()
	n := testkit.Result(t, "Send to the stalled one", stuck)
	close(release)
	if err := clients[0].Shutdown(ctx); err != nil {
		t.Errorf("the stalled one: %v", err)
	}
	for _, c := range clients[1:] {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	ln.Close()
	if err := testkit.Result(t, "Serve", served); err != nil {
		t.Error(err)
	}
	t.Logf("99 consumers took %d messages each in %v, and in %v beside one that had stalled with %d messages on their way: %.0f %% of the throughput",
		each, round(alone), round(beside), n, 100*float64(alone)/float64(beside))
	// If one could hold up the others, they would take for ever.
	if beside > 5*alone+time.Second {
		t.Errorf("%v beside a stalled consumer, %v without", beside, alone)
	}
	synctest.Test(t, stalledLives)
}

// stalledLives has a consumer stall for a hundred times the heartbeat interval.
func stalledLives(t *testing.T) {
	const beat = 15 * time.Second // the default
	a, b := qsockettest.Pipe(t, testkit.Named, nil)
	b.Messages()
	sent := testkit.Async(func() int {
		for n := 0; ; n++ {
			ctx, cancel := context.WithTimeout(context.Background(), 100*beat)
			err := a.Send(ctx, fmt.Sprint(n))
			cancel()
			if err != nil {
				return n
			}
		}
	})
	a.Messages() // which hears the heartbeats of b
	n := <-sent
	if err := a.Err(); err != nil {
		t.Errorf("the sender: %v", err)
	}
	shut := testkit.Async(func() error { return a.Shutdown(context.Background()) })
	for i := range n {
		if m, err := b.Recv(t.Context()); m != fmt.Sprint(i) || err != nil {
			t.Fatalf("message %d: got %q, %v", i, m, err)
		}
	}
	_, _ = b.Recv(t.Context())
	if err := <-shut; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	t.Logf("its Conn lived through 100 heartbeat intervals, and then took all %d messages (virtual time)", n)
}
