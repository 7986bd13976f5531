package operations

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"testing/synctest"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// What is said to a tenant reaches its connections only, of which it may have so many. What
// tenant a client is says Admit.
func TestTenants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := qsockettest.Listen(address)
		all := newTenants(2)
		ln := listen(t, network, func(ctx context.Context, conn *qsocket.Conn[Message]) {
			group, ok := all.join(conn)
			if !ok {
				_ = conn.CloseWithCode(qsocket.CodeFull, "too many connections of this tenant")
				return
			}
			for m, err := range conn.All(ctx) {
				if err != nil {
					return
				}
				_, _ = group.BroadcastExcept(ctx, m, conn)
			}
		}, &qsocket.Options{Admit: func(_ context.Context, _ qsocket.Peer, attributes map[string]string, _ net.Conn) error {
			attributes["tenant"] = attributes["token"][:3] // yours looks it up
			delete(attributes, "token")
			return nil
		}})
		connect := func(token string) *qsocket.Conn[Message] {
			opts := through(network)
			opts.Attributes = func(context.Context) (map[string]string, error) {
				return map[string]string{"token": token, "tenant": "one"}, nil
			}
			conn := dial(t, opts)
			conn.Messages()
			synctest.Wait()
			return conn
		}
		a, b := connect("one 1"), connect("one 2")
		x, y := connect("two 1"), connect("two 2")
		third := connect("one 3")
		var remote *qsocket.RemoteError
		if !errors.As(third.Err(), &remote) || remote.Code != qsocket.CodeFull {
			t.Errorf("the third connection: %v, want CodeFull", third.Err())
		}
		for text, way := range map[string][2]*qsocket.Conn[Message]{"to one": {a, b}, "to two": {x, y}} {
			if err := way[0].Send(t.Context(), Call{Text: text}); err != nil {
				t.Fatal(err)
			}
			if m, err := way[1].Recv(t.Context()); err != nil || m.(Call).Text != text {
				t.Errorf("got %v, %v, want %s", m, err, text)
			}
		}
		synctest.Wait()
		for i, conn := range []*qsocket.Conn[Message]{a, b, x, y} {
			if n := len(conn.Messages()); n > 0 {
				t.Errorf("%d messages more at %d", n, i)
			}
		}
		a.Close()
		synctest.Wait()
		if again := connect("one 4"); again.Err() != nil {
			t.Errorf("when one has ended: %v", again.Err())
		}
		if got := fmt.Sprint(ln.Stats().Open, all.groups["one"].Len(), all.groups["two"].Len(), len(all.groups)); got != "4 2 2 2" {
			t.Errorf("got %s", got)
		}
	})
}
