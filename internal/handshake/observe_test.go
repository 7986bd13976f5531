package handshake_test

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/handshake"
	"github.com/fb9bb4ed/qsocket/internal/schema"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

type tick struct {
	Symbol string
	Price  float64
}

// An observer hears what the server has, says the same, and is told the types if it says that it has others. Net.Pipe
// has no buffers, so neither end may write before the other reads.
func TestObserve(t *testing.T) {
	p := qsocket.Protocol[tick]{Name: "ticks/1"}
	admit := func(_ context.Context, _ qsocket.Peer, attr map[string]string, _ net.Conn) error {
		if attr["token"] == "no" {
			return qsocket.Refuse("no such token")
		}
		return nil
	}
	refuse := errors.New("not this one")
	for _, tt := range []struct {
		name   string
		opts   *qsocket.Options
		text   string
		token  string
		reply  error
		want   string // the description
		reason string
	}{
		{name: "without types"},
		{name: "with types", text: "an observer\n", want: p.Schema()},
		{name: "admitted", opts: &qsocket.Options{Admit: admit}, text: "an observer\n", want: p.Schema()},
		{name: "refused", opts: &qsocket.Options{Admit: admit}, token: "no", text: "an observer\n", want: p.Schema(), reason: "no such token"},
		{name: "not replied to", reply: refuse},
	} {
		t.Run(tt.name, func(t *testing.T) {
			near, far := net.Pipe()
			defer near.Close()
			server := testkit.Async(func() error {
				c, err := qsocket.NewConn(testkit.Context(t), far, p, tt.opts)
				if err == nil {
					err = c.Close()
				}
				return err
			})
			seen, err := handshake.Observe(testkit.Context(t), near, func(theirs *wire.Hello) (*wire.Hello, string, error) {
				most := uint64(1 << 20)
				ours := &wire.Hello{Proto: theirs.Proto, Codec: theirs.Codec, Max: &most, Attr: map[string]string{"token": tt.token}}
				if tt.text != "" {
					ours.Types, ours.Desc = schema.Fingerprint(tt.text), uint64(len(tt.text))
				}
				return ours, tt.text, tt.reply
			})
			if seen == nil || seen.Hello.Proto != "ticks/1" || seen.Hello.Codec != "msgpack" || seen.Text != tt.want {
				t.Fatalf("got %+v, %v", seen, err)
			}
			var refused *handshake.Refused
			switch {
			case tt.reply != nil && err != tt.reply, tt.reason == "" && tt.reply == nil && err != nil:
				t.Errorf("got %v", err)
			case tt.reason != "" && (!errors.As(err, &refused) || refused.Reason != tt.reason):
				t.Errorf("got %v, want %q", err, tt.reason)
			}
			near.Close()
			testkit.Result(t, "the server's handshake", server)
		})
	}
}
