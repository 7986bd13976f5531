package operations

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// A server with the Options of the page works, and bounds what it says: a client that is silent, one
// whose messages are too large, and one that takes nothing.
func TestLimits(t *testing.T) {
	for name, opts := range map[string]qsocket.Options{"strangers": strangers, "friends": friends} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := qsockettest.Listen(address)
				ended := make(chan error, 1)
				talk := func(ctx context.Context, conn *qsocket.Conn[Message]) {
					for err := error(nil); err == nil; {
						err = conn.Send(ctx, Answer{Text: strings.Repeat("x", 1000)})
					}
					ended <- conn.Err()
				}
				listen(t, network, talk, &opts)
				start := time.Now()
				silent, err := network.DialContext(t.Context(), "tcp", address)
				if err != nil {
					t.Fatal(err)
				}
				defer silent.Close()
				handshake := opts.HandshakeTimeout
				if handshake == 0 {
					handshake = 10 * time.Second
				}
				if _, err := io.Copy(io.Discard, silent); err != nil || time.Since(start) != handshake {
					t.Errorf("a silent client: %v after %v, want the end after %v", err, time.Since(start), handshake)
				}

				conn := dial(t, through(network))
				if got := conn.Peer().MaxFrame; got != opts.MaxFrame {
					t.Errorf("MaxFrame is %d, want %d", got, opts.MaxFrame)
				}
				if err := conn.Send(t.Context(), Call{Text: strings.Repeat("x", opts.MaxFrame)}); !errors.Is(err, qsocket.ErrFrameTooLarge) {
					t.Errorf("a message too large: %v", err)
				}
				start = time.Now()
				alive := testkit.Async(func() bool { // it says that it is alive, and takes nothing
					for conn.Send(t.Context(), Call{}) == nil {
						time.Sleep(time.Second)
					}
					return true
				})
				err = <-ended
				if took := time.Since(start); !strings.Contains(err.Error(), "no progress within WriteTimeout") || took < opts.WriteTimeout || took > 2*opts.WriteTimeout {
					t.Errorf("a client that takes nothing: %v after %v, want WriteTimeout after %v", err, took, opts.WriteTimeout)
				}
				conn.Close()
				<-alive
			})
		})
	}
}
