package operations

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// A server is ready while it serves, and not from the signal on; it serves new clients for as long as the
// balancer may send some, and then what is under way.
func TestServeUntil(t *testing.T) {
	const notice, patience = 5 * time.Second, 20 * time.Second
	for _, test := range []struct {
		name  string
		stays bool // the client does not leave
	}{{"a client that leaves", false}, {"one that stays", true}} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ready atomic.Bool
				network := qsockettest.Listen(address)
				ln := listen(t, network, nil, nil)
				stopping, stop := context.WithCancel(t.Context())
				defer stop()
				served := testkit.Async(func() error { return serveUntil(stopping, ln, echo, &ready, notice, patience) })
				synctest.Wait()
				asked := func() int {
					answer := httptest.NewRecorder()
					readiness(&ready).ServeHTTP(answer, httptest.NewRequest("GET", "/ready", nil))
					return answer.Code
				}
				if got := asked(); got != http.StatusOK {
					t.Errorf("it is not ready: %d", got)
				}
				start := time.Now()
				stop()
				time.Sleep(notice - time.Second)
				if got := asked(); got != http.StatusServiceUnavailable {
					t.Errorf("it is ready after the signal: %d", got)
				}
				conn := dial(t, through(network)) // the balancer has not noticed yet
				c := newCaller(conn)
				time.Sleep(2 * time.Second)
				if _, err := network.DialContext(t.Context(), "tcp", address); !errors.Is(err, syscall.ECONNREFUSED) {
					t.Errorf("dialing afterwards: %v, want ECONNREFUSED", err)
				}
				<-conn.GoingAway()
				if got, err := c.call(t.Context(), "one more"); got != "one more" || err != nil {
					t.Errorf("got %q, %v", got, err)
				}
				if !test.stays {
					conn.Close()
					if err := <-served; err != nil {
						t.Error(err)
					}
					return
				}
				err := <-served
				if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took != notice+patience {
					t.Errorf("got %v after %v, want that patience is over after %v", err, took, notice+patience)
				}
				<-conn.Done()
				var remote *qsocket.RemoteError
				if !errors.As(conn.Err(), &remote) || remote.Code != qsocket.CodeGoingAway {
					t.Errorf("the client got %v, want CodeGoingAway", conn.Err())
				}
			})
		})
	}
}

// When a server is replaced, its clients go to the next one at different times, and none of them loses
// an answer.
func TestMove(t *testing.T) {
	const clients, spread = 100, 10 * time.Second
	synctest.Test(t, func(t *testing.T) {
		var network qsockettest.Network
		opts := &qsocket.Options{DialContext: network.DialContext}
		start := func() (ln *qsocket.Listener[Message], stop func(), served <-chan error) {
			nl, err := network.Listen(address)
			if err != nil {
				t.Fatal(err)
			}
			ln = listen(t, nl, nil, nil)
			stopping, stop := context.WithCancel(t.Context())
			return ln, stop, testkit.Async(func() error { return serveUntil(stopping, ln, echo, new(atomic.Bool), 0, time.Minute) })
		}
		ctx, end := context.WithCancel(t.Context())
		var mu sync.Mutex
		var arrived []time.Time
		client := func() (err error) {
			for err == nil && ctx.Err() == nil {
				conn, dialErr := qsocket.Dial(ctx, "tcp", address, Protocol, opts)
				if dialErr != nil {
					time.Sleep(250 * time.Millisecond)
					continue
				}
				mu.Lock()
				arrived = append(arrived, time.Now())
				mu.Unlock()
				c := newCaller(conn)
				moving, cancel := untilMove(ctx, conn, spread)
				for moving.Err() == nil && err == nil {
					_, err = c.call(t.Context(), "hello")
					time.Sleep(250 * time.Millisecond)
				}
				cancel()
				err = errors.Join(err, conn.Close())
			}
			return err
		}
		_, stop, served := start()
		var results []<-chan error
		for range clients {
			results = append(results, testkit.Async(client))
		}
		time.Sleep(time.Second)
		stop()
		synctest.Wait() // it no longer listens
		_, stopNext, servedNext := start()
		if err := <-served; err != nil {
			t.Errorf("the first server: %v", err)
		}
		time.Sleep(time.Second)
		end()
		for _, result := range results {
			if err := <-result; err != nil {
				t.Errorf("a client: %v", err)
			}
		}
		stopNext()
		if err := <-servedNext; err != nil {
			t.Errorf("the next server: %v", err)
		}
		each := make(map[string]int)
		for _, at := range arrived[clients:] {
			each[fmt.Sprint(at.Unix())]++
		}
		if len(arrived) != 2*clients || len(each) < 5 {
			t.Errorf("%d arrivals at the next server, within so many seconds: %v", len(arrived)-clients, each)
		}
	})
}
