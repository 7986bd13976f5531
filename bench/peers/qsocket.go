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
// with each codec; gob over TCP only.
func qsocketContestants() []Contestant {
	var all []Contestant
	for _, mode := range []struct {
		name    string
		channel bool
	}{{"qsocket channel", true}, {"qsocket pull", false}} {
		for _, codec := range []string{"none", "msgpack", "gob"} {
			for _, over := range Transports {
				if codec != "gob" || over == TCP {
					all = append(all, qsocketContestant(mode.name, mode.channel, codec, over))
				}
			}
		}
	}
	return all
}

func qsocketContestant(name string, channel bool, codec string, over Transport) Contestant {
	return Contestant{
		Name: name, Codec: codec, Over: over, Background: channel,
		Listen: func(m Message) (Server, error) {
			k, err := qsocketKindOf(codec, over, m)
			if err != nil {
				return nil, err
			}
			return k.listen(channel)
		},
		Dial: func(ctx context.Context, addr string, m Message) (End, error) {
			k, err := qsocketKindOf(codec, over, m)
			if err != nil {
				return nil, err
			}
			return k.dial(ctx, addr, channel)
		},
	}
}

// qsocketKind hides the type of the message.
type qsocketKind interface {
	listen(channel bool) (Server, error)
	dial(ctx context.Context, addr string, channel bool) (End, error)
	listenSessions() (Server, error)
	dialSession(ctx context.Context, addr string) (End, error)
}

// qsocketProtocol is a qsocketKind: a protocol, and what it needs to set and
// read the timestamp of a T.
type qsocketProtocol[T any] struct {
	p       qsocket.Protocol[T]
	over    Transport
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

func qsocketKindOf(codec string, over Transport, m Message) (qsocketKind, error) {
	qsocketKinds.Lock()
	defer qsocketKinds.Unlock()
	name := fmt.Sprint(codec, " ", over, " ", m)
	if k, ok := qsocketKinds.of[name]; ok {
		return k, nil
	}
	k, err := newQsocketKind(codec, over, m)
	if err == nil {
		qsocketKinds.of[name] = k
	}
	return k, err
}

func newQsocketKind(codec string, over Transport, m Message) (qsocketKind, error) {
	opts, err := qsocketOptions(over, m)
	if err != nil {
		return nil, err
	}
	if codec == "none" {
		payload, err := m.payload()
		if err != nil {
			return nil, err
		}
		return qsocketProtocol[encoded]{
			p:       qsocket.Protocol[encoded]{Codec: noCodec{len(payload)}},
			over:    over,
			opts:    opts,
			stamped: func(stamp int64) encoded { return encoded{payload, stamp} },
			stamp:   func(v encoded) int64 { return v.stamp },
		}, nil
	}
	if m.BlobSize > 0 {
		blob := m.blob()
		return qsocketProtocol[Blob]{
			p:       qsocket.Protocol[Blob]{Codec: qsocketCodec[Blob](codec)},
			over:    over,
			opts:    opts,
			stamped: func(stamp int64) Blob { return Blob{stamp, blob.Data} },
			stamp:   func(v Blob) int64 { return v.TS },
		}, nil
	}
	return qsocketProtocol[Order]{
		p:       qsocket.Protocol[Order]{Codec: qsocketCodec[Order](codec)},
		over:    over,
		opts:    opts,
		stamped: m.order,
		stamp:   func(v Order) int64 { return v.TS },
	}, nil
}

// qsocketOptions are those of both ends. Where it can, the library makes its connections itself.
func qsocketOptions(over Transport, m Message) (*qsocket.Options, error) {
	opts := new(qsocket.Options)
	if m.BlobSize > 0 {
		opts.MaxFrame = maxPayload // the default is 1 MiB
	}
	var err error
	switch over {
	case TLS:
		opts.TLS, err = tlsConfig()
	case Wrapper:
		opts.DialContext = func(ctx context.Context, _, addr string) (net.Conn, error) { return over.dial(ctx, addr) }
	}
	return opts, err
}

func qsocketCodec[T any](name string) qsocket.Codec[T] {
	if name == "gob" {
		return qsocket.Gob[T]()
	}
	return qsocket.Msgpack[T]()
}

func (k qsocketProtocol[T]) listen(channel bool) (Server, error) {
	under := k.over
	if under == TLS {
		under = TCP // Options.TLS does the rest
	}
	nl, err := under.listen()
	if err != nil {
		return nil, err
	}
	ln, err := qsocket.NewListener(nl, k.p, k.opts)
	if err != nil {
		return nil, err
	}
	return &qsocketServer[T]{k: k, ln: ln, channel: channel}, nil
}

func (k qsocketProtocol[T]) dial(ctx context.Context, addr string, channel bool) (End, error) {
	network := "tcp"
	if k.over == Unix {
		network = "unix"
	}
	conn, err := qsocket.Dial(ctx, network, addr, k.p, k.opts)
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
