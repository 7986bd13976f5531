package peers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/fb9bb4ed/qsocket"
)

// qsocketContestants returns the two ways to receive, by Messages and by Recv,
// with each codec.
func qsocketContestants() []Contestant {
	var all []Contestant
	for _, mode := range []struct {
		name    string
		channel bool
	}{{"qsocket channel", true}, {"qsocket pull", false}} {
		for _, codec := range []string{"none", "msgpack", "gob"} {
			c := Contestant{Name: mode.name, Codec: codec, Background: mode.channel}
			c.Listen = func(m Message) (Server, error) {
				k, err := qsocketKindOf(codec, m)
				if err != nil {
					return nil, err
				}
				return k.listen(mode.channel)
			}
			c.Dial = func(ctx context.Context, addr string, m Message) (End, error) {
				k, err := qsocketKindOf(codec, m)
				if err != nil {
					return nil, err
				}
				return k.dial(ctx, addr, mode.channel)
			}
			all = append(all, c)
		}
	}
	return all
}

// qsocketKind hides the type of the message.
type qsocketKind interface {
	listen(channel bool) (Server, error)
	dial(ctx context.Context, addr string, channel bool) (End, error)
}

// qsocketProtocol is a qsocketKind: a protocol, and what it needs to set and
// read the timestamp of a T.
type qsocketProtocol[T any] struct {
	p       qsocket.Protocol[T]
	opts    *qsocket.Options
	stamped func(stamp int64) T
	stamp   func(T) int64
}

// qsocketKinds holds what was made so far. A program declares its protocol once,
// and so do we: otherwise each connection would pay for a message of its own.
var qsocketKinds = struct {
	sync.Mutex
	of map[string]qsocketKind
}{of: make(map[string]qsocketKind)}

func qsocketKindOf(codec string, m Message) (qsocketKind, error) {
	qsocketKinds.Lock()
	defer qsocketKinds.Unlock()
	name := fmt.Sprint(codec, " ", m)
	if k, ok := qsocketKinds.of[name]; ok {
		return k, nil
	}
	k, err := newQsocketKind(codec, m)
	if err == nil {
		qsocketKinds.of[name] = k
	}
	return k, err
}

func newQsocketKind(codec string, m Message) (qsocketKind, error) {
	var opts *qsocket.Options
	if m.BlobSize > 0 {
		opts = &qsocket.Options{MaxFrame: maxPayload} // the default is 1 MiB
	}
	if codec == "none" {
		payload, err := m.payload()
		if err != nil {
			return nil, err
		}
		return qsocketProtocol[encoded]{
			p:       qsocket.Protocol[encoded]{Codec: noCodec{len(payload)}},
			opts:    opts,
			stamped: func(stamp int64) encoded { return encoded{payload, stamp} },
			stamp:   func(v encoded) int64 { return v.stamp },
		}, nil
	}
	if m.BlobSize > 0 {
		blob := m.blob()
		return qsocketProtocol[Blob]{
			p:       qsocket.Protocol[Blob]{Codec: qsocketCodec[Blob](codec)},
			opts:    opts,
			stamped: func(stamp int64) Blob { return Blob{stamp, blob.Data} },
			stamp:   func(v Blob) int64 { return v.TS },
		}, nil
	}
	return qsocketProtocol[Order]{
		p:       qsocket.Protocol[Order]{Codec: qsocketCodec[Order](codec)},
		opts:    opts,
		stamped: m.order,
		stamp:   func(v Order) int64 { return v.TS },
	}, nil
}

func qsocketCodec[T any](name string) qsocket.Codec[T] {
	if name == "gob" {
		return qsocket.Gob[T]()
	}
	return qsocket.Msgpack[T]()
}

func (k qsocketProtocol[T]) listen(channel bool) (Server, error) {
	ln, err := qsocket.Listen("tcp", "127.0.0.1:0", k.p, k.opts)
	if err != nil {
		return nil, err
	}
	return &qsocketServer[T]{k: k, ln: ln, channel: channel}, nil
}

func (k qsocketProtocol[T]) dial(ctx context.Context, addr string, channel bool) (End, error) {
	conn, err := qsocket.Dial(ctx, "tcp", addr, k.p, k.opts)
	if err != nil {
		return nil, err
	}
	return k.end(conn, channel), nil
}

func (k qsocketProtocol[T]) end(conn *qsocket.Conn[T], channel bool) End {
	e := qsocketEnd[T]{conn: conn, ctx: context.Background(), stamped: k.stamped, stamp: k.stamp}
	if !channel {
		return &e
	}
	return &qsocketChannelEnd[T]{e, conn.Messages()}
}

type qsocketServer[T any] struct {
	k       qsocketProtocol[T]
	ln      *qsocket.Listener[T]
	channel bool
}

func (s *qsocketServer[T]) Addr() string { return s.ln.Addr().String() }

func (s *qsocketServer[T]) Accept() (End, error) {
	conn, err := s.ln.Accept(context.Background())
	if err != nil {
		return nil, err
	}
	return s.k.end(conn, s.channel), nil
}

// Close ends the connections with the listener: their clients have gone, and
// those that have not are reset, because ctx has ended.
func (s *qsocketServer[T]) Close() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s.ln.Shutdown(ctx)
	return s.ln.Err()
}

// Group implements Grouper.
func (s *qsocketServer[T]) Group(ends []End) (Sender, error) {
	g := qsocket.NewGroup(s.k.p, qsocket.Block)
	for _, end := range ends {
		switch end := end.(type) {
		case *qsocketEnd[T]:
			g.Add(end.conn)
		case *qsocketChannelEnd[T]:
			g.Add(end.conn)
		default:
			return nil, fmt.Errorf("group with a %T", end)
		}
	}
	return &qsocketGroup[T]{g, len(ends), s.k.stamped}, nil
}

type qsocketGroup[T any] struct {
	group   *qsocket.Group[T]
	members int
	stamped func(int64) T
}

func (g *qsocketGroup[T]) Send(stamp int64) error {
	sent, err := g.group.Broadcast(context.Background(), g.stamped(stamp))
	if err == nil && sent != g.members {
		err = fmt.Errorf("broadcast reached %d members of %d", sent, g.members)
	}
	return err
}

func (g *qsocketGroup[T]) Flush() error { return nil }

// qsocketEnd receives by Recv.
type qsocketEnd[T any] struct {
	conn    *qsocket.Conn[T]
	ctx     context.Context
	stamped func(int64) T
	stamp   func(T) int64
}

func (e *qsocketEnd[T]) Send(stamp int64) error { return e.conn.Send(e.ctx, e.stamped(stamp)) }
func (e *qsocketEnd[T]) Flush() error           { return nil }
func (e *qsocketEnd[T]) Pending() bool          { return false }

func (e *qsocketEnd[T]) Recv() (int64, error) {
	v, err := e.conn.Recv(e.ctx)
	return e.stamp(v), err
}

// Close resets the connection and then lets the Conn find out: its own Close
// would go on in the background.
func (e *qsocketEnd[T]) Close() error {
	err := closeHard(e.conn.NetConn())
	e.conn.Close()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// qsocketChannelEnd receives by Messages.
type qsocketChannelEnd[T any] struct {
	qsocketEnd[T]
	messages <-chan T
}

func (e *qsocketChannelEnd[T]) Recv() (int64, error) {
	v, ok := <-e.messages
	if !ok {
		return 0, fmt.Errorf("the channel is closed: %w", errors.Join(e.conn.Err(), io.EOF))
	}
	return e.stamp(v), nil
}

// encoded is the message of codec "none": bytes encoded beforehand, and the
// timestamp that is to replace the one in them.
type encoded struct {
	payload []byte
	stamp   int64
}

// noCodec does next to nothing: what is left is the cost of the library. It
// does not decode more than the timestamp of a payload.
type noCodec struct{ size int }

func (c noCodec) Name() string                         { return "none" }
func (c noCodec) NewEncoder() qsocket.Encoder[encoded] { return c }
func (c noCodec) NewDecoder() qsocket.Decoder[encoded] { return c }
func (c noCodec) Stateless() bool                      { return true }

func (c noCodec) Append(dst []byte, v encoded) ([]byte, error) {
	dst = append(dst, v.payload...)
	putStamp(dst, v.stamp)
	return dst, nil
}

func (c noCodec) Decode(payload []byte) (encoded, error) {
	if len(payload) != c.size {
		return encoded{}, fmt.Errorf("payload of %d bytes, want %d", len(payload), c.size)
	}
	return encoded{stamp: getStamp(payload)}, nil
}
