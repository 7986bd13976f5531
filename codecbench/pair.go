package codecbench

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/fb9bb4ed/qsocket"
)

// A pair is the two ends of a TCP connection over loopback. One goroutine at a
// time sends on an end, and one receives.
type pair[T any] struct {
	*subject[T]
	near, far *qsocket.Conn[T]
}

// connect opens a connection. It must be closed.
func (s *subject[T]) connect() (*pair[T], error) {
	a, b, err := loopback()
	if err != nil {
		return nil, s.errorf("open a loopback connection: %w", err)
	}
	ctx := context.Background()
	protocol := qsocket.Protocol[T]{Codec: s.codec}
	// The samples are the user's, and so is the decision how large they are.
	opts := &qsocket.Options{MaxFrame: 1 << 30}
	near, err := qsocket.NewConn(ctx, a, protocol, opts)
	if err != nil {
		_ = b.Close()
		return nil, s.errorf("%w", err)
	}
	far, err := qsocket.NewConn(ctx, b, protocol, opts)
	if err != nil {
		_ = near.Close()
		return nil, s.errorf("%w", err)
	}
	return &pair[T]{s, near, far}, nil
}

// loopback returns the two ends of a new connection.
func loopback() (client, server net.Conn, err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer ln.Close()
	// The kernel completes the connection before it is accepted.
	if client, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		return nil, nil, err
	}
	if server, err = ln.Accept(); err != nil {
		_ = client.Close()
		return nil, nil, err
	}
	return client, server, nil
}

// warm sends the messages that precede those that are measured.
func (p *pair[T]) warm(from, to *qsocket.Conn[T]) error {
	i := 0
	for range p.warmup() {
		if err := send(from, p.samples[i]); err != nil {
			return p.errorf("%w", err)
		}
		if err := receive(to); err != nil {
			return p.errorf("%w", errors.Join(err, from.Err()))
		}
		i = p.next(i)
	}
	return nil
}

// abort ends both ends at once, which unblocks all that send or receive.
func (p *pair[T]) abort() {
	_ = p.near.NetConn().Close()
	_ = p.far.NetConn().Close()
}

// close releases the pair, with no goroutine of it left that waits for the peer.
func (p *pair[T]) close() {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	_ = p.near.Shutdown(ended)
	_ = p.far.Shutdown(ended)
}

// send and receive do without a context that can be cancelled, for which a Conn
// would pay.
func send[T any](conn *qsocket.Conn[T], v T) error {
	if err := conn.Send(context.Background(), v); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

func receive[T any](conn *qsocket.Conn[T]) error {
	if _, err := conn.Recv(context.Background()); err != nil {
		return fmt.Errorf("receive: %w", err)
	}
	return nil
}
