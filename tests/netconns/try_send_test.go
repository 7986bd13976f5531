package netconns

import (
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// forgetful is a codec with state and without Reset: a message that it has encoded is sent, or the Conn ends.
type forgetful struct{}

func (forgetful) Name() string                              { return "forgetful" }
func (forgetful) NewEncoder() qsocket.Encoder[string]       { return forgetful{} }
func (forgetful) NewDecoder() qsocket.Decoder[string]       { return forgetful{} }
func (forgetful) Append(b []byte, s string) ([]byte, error) { return append(b, s...), nil }
func (forgetful) Decode(b []byte) (string, error)           { return string(b), nil }

// A TrySend that ends its Conn in raw mode waits for the Close of the net.Conn, but for no more than 100 ms. In named
// mode the peer is told in the background.
func TestTrySendThatEnds(t *testing.T) {
	for _, tt := range []struct {
		name     string
		protocol string
		wrap     func(*qsockettest.StreamConn) net.Conn
		want     time.Duration
	}{
		{"raw, Close is slow", "", func(s *qsockettest.StreamConn) net.Conn { return slowClose{s} }, 100 * time.Millisecond},
		{"raw", "", func(s *qsockettest.StreamConn) net.Conn { return struct{ net.Conn }{s} }, 0},
		{"named, Close is slow", "forgetful/1", func(s *qsockettest.StreamConn) net.Conn { return slowClose{s} }, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := qsockettest.NetPipe()
				p := qsocket.Protocol[string]{Name: tt.protocol, Codec: forgetful{}}
				peer := testkit.Async(func() *qsocket.Conn[string] {
					c, err := qsocket.NewConn(t.Context(), b, p, nil)
					if err != nil {
						t.Error(err)
					}
					return c
				})
				c, err := qsocket.NewConn(t.Context(), tt.wrap(a), p, &qsocket.Options{MaxFrame: 10})
				if err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				sent, err := c.TrySend("a long message")
				if took := time.Since(start); took != tt.want || sent || !errors.Is(err, qsocket.ErrFrameTooLarge) {
					t.Errorf("got %v, %v after %v, want a frame that is too large after %v", sent, err, took, tt.want)
				}
				if !errors.Is(c.Err(), qsocket.ErrFrameTooLarge) {
					t.Errorf("got %v, want the end of the Conn", c.Err())
				}
				testkit.End(<-peer)
				testkit.End(c)
				time.Sleep(2 * time.Minute) // a slow Close ends
			})
		})
	}
}
