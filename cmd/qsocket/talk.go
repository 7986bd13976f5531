package main

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/schema"
	"github.com/fb9bb4ed/qsocket/internal/wire"

	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/value"
)

// spoken is what a server speaks: what it takes to be its client.
type spoken struct {
	Name    string // "": raw mode
	Codec   string
	Framing wire.Framing
	Text    string // the description of the messages; "" if there is none
	values  *value.Codec
}

// learn asks the server at addr what it speaks, with a connection for that alone. In raw mode it
// is what the options say.
func (o *peerOptions) learn(ctx context.Context, addr string) (*spoken, error) {
	if o.raw() {
		framing, err := o.framing()
		if err != nil {
			return nil, err
		}
		return newSpoken(&spoken{Codec: o.Codec, Framing: framing})
	}
	peer, err := o.observe(ctx, addr)
	if err != nil {
		return nil, err
	}
	leaving, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	_ = peer.Leave(leaving) // what there is to know is known
	return newSpoken(&spoken{Name: peer.Hello.Proto, Codec: peer.Hello.Codec, Text: peer.Text})
}

func newSpoken(s *spoken) (*spoken, error) {
	var described *schema.Schema
	if s.Text != "" {
		var err error
		if described, err = schema.Parse(s.Text); err != nil {
			described, s.Text = nil, "" // of a later form, perhaps: the payloads say what they are
		}
	}
	var err error
	if s.values, err = value.New(s.Codec, described); err != nil {
		s.Text = ""
		s.values, err = value.New(s.Codec, nil)
	}
	return s, err
}

// talkFrame is the longest payload that is taken from a server. Memory is set aside as it arrives.
const talkFrame = 256 << 20

// talk connects to addr as a client of what its server speaks. Its messages are payloads.
func (o *peerOptions) talk(ctx context.Context, addr string, s *spoken) (*qsocket.Conn[[]byte], error) {
	return o.talkAs(ctx, addr, s.protocol())
}

// talkAs is talk with a protocol whose codec may do less.
func (o *peerOptions) talkAs(ctx context.Context, addr string, p qsocket.Protocol[[]byte]) (*qsocket.Conn[[]byte], error) {
	nc, err := o.dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	opts := &qsocket.Options{
		MaxFrame:         talkFrame,
		HandshakeTimeout: o.Timeout,
		Logger:           slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	if len(o.Attr) > 0 {
		opts.Attributes = func(context.Context) (map[string]string, error) { return o.Attr, nil }
	}
	return qsocket.NewConn(ctx, nc, p, opts)
}

func (s *spoken) protocol() qsocket.Protocol[[]byte] {
	return qsocket.Protocol[[]byte]{Name: s.Name, Codec: payloadCodec{s.Codec, s.Text}, Framing: qsocket.Framing(s.Framing)}
}

// payloadCodec leaves payloads as they are. It goes by the name of the server's codec, and tells
// the server's own description, so that nothing differs.
type payloadCodec struct{ name, text string }

func (c payloadCodec) Name() string                      { return c.name }
func (c payloadCodec) Schema() string                    { return c.text }
func (payloadCodec) NewEncoder() qsocket.Encoder[[]byte] { return payloadCodec{} }
func (payloadCodec) NewDecoder() qsocket.Decoder[[]byte] { return payloadCodec{} }

// Stateless is true of gob, too: what its stream has in it is up to who made the payloads.
func (payloadCodec) Stateless() bool { return true }

func (payloadCodec) Append(dst, payload []byte) ([]byte, error) { return append(dst, payload...), nil }

func (payloadCodec) Decode(payload []byte) ([]byte, error) {
	return append(make([]byte, 0, len(payload)), payload...), nil
}

// afterTimeout is a context for what ends a connection, which takes its time although the
// program has been interrupted.
func (o *peerOptions) afterTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), max(o.Timeout, time.Second))
}
