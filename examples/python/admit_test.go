package python

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// A server with Admit lets the client in, which ignores the verdict, or ends the connection with a
// reason and a code.
func TestAdmit(t *testing.T) {
	d := newDriver(t)
	ctx := testkit.Context(t)
	for _, test := range []struct {
		name    string
		verdict error
		want    string
	}{
		{"let in", nil, "connected; send a: None; end: None; read: ['a']; close: True"},
		{"refused", qsocket.Refuse("no such token"), "connected; send a: None; end: None; read: RemoteError 8: no such token; close: False"},
		{"a failure", errors.New("private"), "connected; send a: None; end: None; read: RemoteError 10: internal error; close: False"},
	} {
		t.Run(test.name, func(t *testing.T) {
			peer, said := d.start(t, task{Timeouts: patient, Heartbeat: 15, Steps: []string{"send a", "end", "read", "close"}})
			decide := make(chan struct{})
			opts := &qsocket.Options{Admit: func(context.Context, qsocket.Peer, map[string]string, net.Conn) error {
				<-decide
				return test.verdict
			}}
			time.AfterFunc(50*time.Millisecond, func() { close(decide) }) // the client has sent by then, or will
			c, err := qsocket.NewConn(ctx, peer.Conn, testkit.Named, opts)
			if (err == nil) != (test.verdict == nil) {
				t.Errorf("NewConn: got %v", err)
			}
			if err == nil {
				testkit.Echo(ctx, c)
				if err := c.Shutdown(ctx); err != nil {
					t.Error(err)
				}
			}
			got := testkit.Result(t, "drive.py", said)
			if test.verdict != nil { // it depends on which comes first, what the client sends or the goodbye
				_, got, _ = strings.Cut(got, "read: ")
				_, test.want, _ = strings.Cut(test.want, "read: ")
			}
			if got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
	t.Run("full", func(t *testing.T) {
		ln, err := qsocket.NewListener(d.ln, testkit.Named, &qsocket.Options{MaxConns: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer testkit.EndListener(ln)
		testkit.DialTo(t, "tcp", ln, testkit.Named)
		testkit.Accept(t, ln)
		said := d.say(t, task{Timeouts: patient, Steps: []string{"read"}})
		expectSaid(t, said, "connected; read: RemoteError 9: full")
	})
}
