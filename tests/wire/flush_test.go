package wire

import (
	"bytes"
	"io"
	"net"
	"testing"
	"testing/synctest"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// The peer does something that is an error while a message is on its way to the socket. Whether that is written, or dropped for
// the reason that the peer is told, is a matter of the moment; but what Flush says is true.
func TestFlushBesideAFarewell(t *testing.T) {
	rounds := 5000
	if testkit.RaceEnabled {
		rounds = 500
	}
	flushed, failed := 0, 0
	for range rounds {
		synctest.Test(t, func(t *testing.T) {
			a, b := qsockettest.NetPipe()
			defer b.Close()
			if _, err := b.Write(testkit.Unhex(testkit.GoldenHello)); err != nil {
				t.Fatal(err)
			}
			c, err := qsocket.NewConn(t.Context(), struct{ net.Conn }{a}, testkit.Named, nil) // no Send writes by itself
			if err != nil {
				t.Fatal(err)
			}
			defer testkit.End(c)
			c.Messages()
			synctest.Wait()
			got := testkit.Async(func() []byte {
				all, _ := io.ReadAll(b)
				return all
			})
			bad := testkit.Async(func() error {
				_, err := b.Write([]byte{0x7f, 0xff, 0xff, 0xff}) // a message that is too large
				return err
			})
			const message = "some text"
			sendErr := c.Send(t.Context(), message)
			flushErr := c.Flush(t.Context())
			<-bad
			<-c.Done()
			_ = b.CloseWrite()
			arrived := bytes.Contains(<-got, []byte(message))
			if sendErr == nil && flushErr == nil && !arrived {
				t.Error("Flush returned nil, and the message was dropped")
			}
			if arrived {
				flushed++
			} else {
				failed++
			}
		})
	}
	if flushed == 0 || failed == 0 {
		t.Errorf("%d messages arrived and %d did not, want some of each", flushed, failed)
	}
}
