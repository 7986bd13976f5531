package operations

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
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

// Many goroutines call over one connection, and each gets its own answer, in whatever order they come.
func TestCalls(t *testing.T) {
	const callers, calls, most = 50, 20, 8
	synctest.Test(t, func(t *testing.T) {
		var working, highest atomic.Int32
		network := qsockettest.Listen(address)
		listen(t, network, answerWith(func(_ context.Context, text string) (string, error) {
			n := working.Add(1)
			defer working.Add(-1)
			for old := highest.Load(); n > old && !highest.CompareAndSwap(old, n); old = highest.Load() {
			}
			time.Sleep(time.Duration(text[len(text)-1]%7) * time.Second) // so they overtake each other
			if text == "caller 3, call 3" {
				return "", errors.New("it has failed")
			}
			return "re: " + text, nil
		}, most), nil)
		c := newCaller(dial(t, through(network)))
		var calling sync.WaitGroup
		for i := range callers {
			calling.Go(func() {
				for k := range calls {
					text := fmt.Sprintf("caller %d, call %d", i, k)
					got, err := c.call(t.Context(), text)
					failed := i == 3 && k == 3
					if failed && (err == nil || err.Error() != "it has failed") || !failed && (err != nil || got != "re: "+text) {
						t.Errorf("%s: got %q, %v", text, got, err)
					}
				}
			})
		}
		calling.Wait()
		if got := highest.Load(); got != most {
			t.Errorf("%d calls were worked on at a time, want %d", got, most)
		}
		if len(c.waiting) > 0 {
			t.Errorf("left: %v", c.waiting)
		}
	})
}

// A ctx that ends costs that call and no other. Its answer, which comes later, is dropped.
func TestCallContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := qsockettest.Listen(address)
		listen(t, network, answerWith(func(_ context.Context, text string) (string, error) {
			time.Sleep(time.Minute)
			return text, nil
		}, 8), nil)
		c := newCaller(dial(t, through(network)))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		other := testkit.Async(func() error { _, err := c.call(t.Context(), "patient"); return err })
		if _, err := c.call(ctx, "impatient"); !errors.Is(err, errUnanswered) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if _, err := c.call(ctx, "too late"); errors.Is(err, errUnanswered) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want an error of Send", err)
		}
		if err := <-other; err != nil {
			t.Error(err)
		}
		if got, err := c.call(t.Context(), "next"); got != "next" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

// Whatever ends the connection wakes all callers, and tells them that there is no answer.
func TestCallsEnd(t *testing.T) {
	const callers = 50
	type ends struct {
		proxy          *qsockettest.Proxy
		client, server *qsocket.Conn[Message]
	}
	for _, test := range []struct {
		name string
		end  func(e ends)
		want error

		halfOpen bool // what is sent afterwards still gets there
	}{
		{"the server ends its half", func(e ends) { e.server.CloseWrite() }, net.ErrClosed, true},
		{"the server closes", func(e ends) { e.server.Close() }, net.ErrClosed, false},
		{"the client closes", func(e ends) { e.client.Close() }, net.ErrClosed, false},
		{"it is reset", func(e ends) { e.proxy.Cut(qsockettest.RST) }, syscall.ECONNRESET, false},
		{"it is cut", func(e ends) { e.proxy.Cut(qsockettest.FIN) }, io.ErrUnexpectedEOF, false},
		{"the cable is pulled", func(e ends) { e.proxy.Cut(qsockettest.BlackHole) }, qsocket.ErrPeerDead, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := ends{proxy: qsockettest.NewProxy(1, qsockettest.Faults{}, qsockettest.Faults{})}
				defer e.proxy.Close()
				na, nb := e.proxy.Pipe()
				e.client, e.server = testkit.WrapPair(t, na, nb, Protocol, nil, nil)
				e.server.Messages() // it receives, and answers nothing
				c := newCaller(e.client)
				var errs []<-chan error
				for range callers {
					errs = append(errs, testkit.Async(func() error { _, err := c.call(t.Context(), "hello"); return err }))
				}
				synctest.Wait()
				test.end(e)
				for _, result := range errs {
					if err := <-result; !errors.Is(err, errUnanswered) || !errors.Is(err, test.want) {
						t.Errorf("got %v, want %v", err, test.want)
					}
				}
				if _, err := c.call(t.Context(), "afterwards"); err == nil || errors.Is(err, errUnanswered) != test.halfOpen {
					t.Errorf("afterwards: %v", err)
				}
			})
		})
	}
}
