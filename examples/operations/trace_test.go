package operations

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// The last frames of a connection are known when it has failed, and no others. The log has its number.
func TestRecorder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		var log testkit.LogRecorder
		network := qsockettest.Listen(address)
		ids := make(chan uint64, 2)
		listen(t, network, func(ctx context.Context, conn *qsocket.Conn[Message]) {
			ids <- conn.ID()
			echo(ctx, conn)
		}, &qsocket.Options{Trace: r.note, Logger: log.Logger()})
		conn := dial(t, through(network))
		c := newCaller(conn)
		other := newCaller(dial(t, through(network)))
		for range 3 {
			if _, err := c.call(t.Context(), "hello"); err != nil {
				t.Fatal(err)
			}
			if _, err := other.call(t.Context(), "a longer one"); err != nil {
				t.Fatal(err)
			}
		}
		id, otherID := <-ids, <-ids
		got := r.of(id)
		if len(got) != 6 || got[0].Out || !got[1].Out || got[0].Tag != 1 || got[1].Tag != 2 || got[0].Conn != id {
			t.Errorf("got %+v, want a call and its answer, three times", got)
		}
		conn.NetConn().Close()
		synctest.Wait()
		if log.Count("connection failed", fmt.Sprint("conn=", id)) != 1 && log.Count("connection failed", fmt.Sprint("conn=", otherID)) != 1 {
			t.Errorf("got\n%s", log.Text())
		}
		for range len(r.frames) - 3 {
			r.note(qsocket.Frame{}) // of none of the two
		}
		if left := len(r.of(id)) + len(r.of(otherID)); left != 3 || len(r.of(0)) != len(r.frames)-3 {
			t.Errorf("got %d of the old frames, and %d of the new ones", left, len(r.of(0)))
		}
	})
}

// The trace of Dial's ctx is an attribute of the connection, and that of a call's ctx goes with
// the call.
func TestTraceContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := qsockettest.Listen(address)
		dialed := make(chan string, 1)
		listen(t, network, func(ctx context.Context, conn *qsocket.Conn[Message]) {
			dialed <- conn.PeerAttributes()["traceparent"]
			answerWith(func(ctx context.Context, _ string) (string, error) { return traceOf(ctx), nil }, 1)(ctx, conn)
		}, nil)
		within := func(trace string) context.Context { return context.WithValue(t.Context(), traceKey{}, trace) }
		opts := through(network)
		opts.Attributes = attributes
		conn, err := qsocket.Dial(within("00-a-b-01"), "tcp", address, Protocol, opts)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if got := <-dialed; got != "00-a-b-01" {
			t.Errorf("the connection's is %q", got)
		}
		c := newCaller(conn)
		for _, want := range []string{"00-c-d-01", "", "00-e-f-01"} {
			if got, err := c.call(within(want), ""); got != want || err != nil {
				t.Errorf("got %q, %v, want %q", got, err, want)
			}
		}
	})
}
