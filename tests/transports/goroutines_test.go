package transports_test

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/leak"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// TestGoroutines ends connections in several ways. When what they ran over is closed too, no
// goroutine of the library is left. The cases run one after the other, beside no other test.
func TestGoroutines(t *testing.T) {
	for _, end := range []struct {
		name    string
		timeout time.Duration // CloseTimeout: short where the peer is in no state to answer
		run     func(e *env, a, b *qsocket.Conn[[]byte])
	}{
		{"clean", 5 * time.Second, func(e *env, a, b *qsocket.Conn[[]byte]) {
			ended := testkit.Async(func() error { return expectEnd(e, b, io.EOF) })
			if err := a.Close(); err != nil {
				e.Error(err)
			}
			if err := testkit.Result(e, "the peer", ended); err != nil {
				e.Error(err)
			}
		}},
		{"parked", 100 * time.Millisecond, func(e *env, a, b *qsocket.Conn[[]byte]) {
			ended := recv(context.Background(), a)
			messages := b.Messages()
			_ = a.Close() // the peer is in no state to answer, perhaps
			testkit.Result(e, "Recv", ended)
			for range messages {
			}
		}},
		{"full", 100 * time.Millisecond, func(e *env, a, b *qsocket.Conn[[]byte]) {
			fill(e, a, 1)
			_ = a.Close() // CloseTimeout
			testkit.WaitClosed(e, "Done", a.Done())
		}},
	} {
		for _, k := range kinds {
			for _, m := range both {
				t.Run(end.name+"/"+k.name+"/"+string(m), func(t *testing.T) {
					t.Run("connection", func(t *testing.T) { // what it runs over ends with this
						e := &env{T: t, kind: k, mode: m, net: newNetwork(t, false), patience: hang}
						opts := &qsocket.Options{CloseTimeout: end.timeout}
						a, b := e.conns(opts, opts)
						end.run(e, a, b)
						_ = b.Close() // an error is that of the case
					})
					if left := leak.Left(testkit.Timeout); left != "" {
						t.Errorf("goroutines left:\n\n%s", left)
					}
				})
			}
		}
	}
}
