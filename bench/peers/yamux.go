package peers

import (
	"context"
	"io"
	"net"

	"github.com/hashicorp/yamux"
)

// yamuxContestants returns msgpack by hand on a stream of hashicorp/yamux, one
// on each connection: as programs do that want several streams later.
func yamuxContestants() []Contestant {
	var all []Contestant
	for _, mode := range []struct {
		name, note string
		batched    bool
	}{
		{name: "yamux by hand, flush each"},
		{name: "yamux by hand, batched", note: "the program flushes when it knows that nothing follows", batched: true},
	} {
		c := onStream(Contestant{Name: mode.name, Codec: "msgpack", Note: mode.note, Background: true},
			func(nc net.Conn, m Message) (End, error) {
				session, err := yamux.Server(nc, yamuxConfig())
				if err != nil {
					return nil, err
				}
				stream, err := session.AcceptStream()
				return newYamuxEnd(nc, session, stream, err, m, mode.batched)
			})
		c.Dial = func(ctx context.Context, addr string, m Message) (End, error) {
			var d net.Dialer
			nc, err := d.DialContext(ctx, "tcp", addr)
			if err != nil {
				return nil, err
			}
			session, err := yamux.Client(nc, yamuxConfig())
			if err != nil {
				return nil, err
			}
			stream, err := session.OpenStream()
			return newYamuxEnd(nc, session, stream, err, m, mode.batched)
		}
		all = append(all, c)
	}
	return all
}

func yamuxConfig() *yamux.Config {
	config := yamux.DefaultConfig()
	config.LogOutput = io.Discard // a connection that ends hard is no news
	return config
}

type yamuxEnd struct {
	End
	nc      net.Conn
	session *yamux.Session
}

// newYamuxEnd takes the results of opening the stream.
func newYamuxEnd(nc net.Conn, session *yamux.Session, stream *yamux.Stream, err error, m Message, batched bool) (End, error) {
	if err != nil {
		session.Close()
		return nil, err
	}
	return &yamuxEnd{newMsgpackEnd(stream, m, batched), nc, session}, nil
}

// Close ends the session. That waits for its goroutines, so the connection
// goes first.
func (e *yamuxEnd) Close() error {
	closeHard(e.nc) // fails only on what is closed already
	return e.session.Close()
}
