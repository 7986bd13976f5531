package peers

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/fb9bb4ed/qsocket"
)

// sessionContestants returns sessions, which survive the loss of their connections, and keep each message until the
// peer's program has taken it. They always receive by Messages, in named mode.
func sessionContestants() []Contestant {
	var all []Contestant
	for _, codec := range []string{"none", "msgpack"} {
		all = append(all, Contestant{
			Name: "qsocket session", Codec: codec, Background: true,
			Note: "keeps each message until the peer's program has taken it, and sends it again over another connection if this one breaks",
			Listen: func(m Message) (Server, error) {
				k, err := qsocketKindOf(codec, TCP, m)
				if err != nil {
					return nil, err
				}
				return k.listenSessions()
			},
			Dial: func(ctx context.Context, addr string, m Message) (End, error) {
				k, err := qsocketKindOf(codec, TCP, m)
				if err != nil {
					return nil, err
				}
				return k.dialSession(ctx, addr)
			},
		})
	}
	return all
}

// mostSessions is above what any workload needs.
const mostSessions = 100_000

// named returns k's protocol in named mode, without which there are no sessions.
func (k qsocketProtocol[T]) named() qsocket.Protocol[T] {
	p := k.p
	p.Name = "bench/1"
	return p
}

func (k qsocketProtocol[T]) listenSessions() (Server, error) {
	nl, err := k.over.listen()
	if err != nil {
		return nil, err
	}
	opts := *k.opts
	opts.MaxSessions = mostSessions
	ln, err := qsocket.NewListener(nl, k.named(), &opts)
	if err != nil {
		return nil, err
	}
	s := &sessionServer[T]{k: k, ln: ln, arrived: make(chan *qsocket.Session[T]), served: make(chan struct{})}
	go s.serve() // ends when Close drains the listener
	return s, nil
}

func (k qsocketProtocol[T]) dialSession(ctx context.Context, addr string) (End, error) {
	s, err := qsocket.DialSession(ctx, "tcp", addr, k.named(), k.opts)
	if err != nil {
		return nil, err
	}
	return k.sessionEnd(s), nil
}

func (k qsocketProtocol[T]) sessionEnd(s *qsocket.Session[T]) End {
	return &sessionEnd[T]{s: s, ctx: context.Background(), messages: s.Messages(), stamped: k.stamped, stamp: k.stamp}
}

type sessionServer[T any] struct {
	k       qsocketProtocol[T]
	ln      *qsocket.Listener[T]
	arrived chan *qsocket.Session[T]
	served  chan struct{} // closed when serve has ended
}

func (s *sessionServer[T]) serve() {
	defer close(s.served)
	_ = s.ln.ServeSessions(context.Background(), func(ctx context.Context, session *qsocket.Session[T]) {
		select {
		case s.arrived <- session:
		case <-session.Done():
		}
		<-session.Done()
	})
}

func (s *sessionServer[T]) Addr() string { return s.ln.Addr().String() }

func (s *sessionServer[T]) Accept() (End, error) {
	select {
	case session := <-s.arrived:
		return s.k.sessionEnd(session), nil
	case <-s.served:
		return nil, io.EOF
	}
}

// Close ends the sessions with the listener: their clients have gone.
func (s *sessionServer[T]) Close() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = s.ln.Drain(ctx, "")
	<-s.served
	return s.ln.Err()
}

// Group implements Grouper.
func (s *sessionServer[T]) Group(ends []End) (Sender, error) {
	g := qsocket.NewGroup(s.k.named(), qsocket.Block)
	for _, end := range ends {
		session, ok := end.(*sessionEnd[T])
		if !ok {
			return nil, fmt.Errorf("group with a %T", end)
		}
		g.AddSession(session.s)
	}
	return &qsocketGroup[T]{g, len(ends), s.k.stamped}, nil
}

type sessionEnd[T any] struct {
	s        *qsocket.Session[T]
	ctx      context.Context
	messages <-chan T
	stamped  func(int64) T
	stamp    func(T) int64
}

func (e *sessionEnd[T]) Send(stamp int64) error { return e.s.Send(e.ctx, e.stamped(stamp)) }
func (e *sessionEnd[T]) Flush() error           { return nil }
func (e *sessionEnd[T]) Pending() bool          { return false }

func (e *sessionEnd[T]) Recv() (int64, error) {
	v, ok := <-e.messages
	if !ok {
		return 0, fmt.Errorf("the channel is closed: %w", errors.Join(e.s.Err(), io.EOF))
	}
	return e.stamp(v), nil
}

// Close gives the session up at once: its peer may have gone already, and would be waited for.
func (e *sessionEnd[T]) Close() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = e.s.Shutdown(ctx)
	return nil
}
