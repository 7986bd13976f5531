package qsocket

import (
	"context"
	"errors"
	"fmt"
)

// CloseWrite ends sending and leaves receiving as it is: it flushes what Send
// accepted and closes the write side of the socket (FIN, or close_notify under
// TLS), which ends the peer's Messages. It waits for CloseTimeout at most; if
// accepted messages could not be flushed by then, the Conn is ended with an
// error that wraps os.ErrDeadlineExceeded.
//
// Over a net.Conn that has no method CloseWrite, such as that of net.Pipe, it
// does nothing and returns an error that wraps errors.ErrUnsupported.
func (c *Conn[T]) CloseWrite() error {
	if c.sock.half == nil {
		return fmt.Errorf("qsocket: CloseWrite over %T: %w", c.sock.Conn, errors.ErrUnsupported)
	}
	return c.halfClose()
}

// Close ends the Conn: it flushes what Send accepted, closes the write side of
// the socket, and returns, after CloseTimeout at most. In the background it
// discards what the peer still sends until the peer ends too or CloseTimeout
// is over, because closing a socket with unread data makes the kernel destroy
// messages that the peer has yet to read. Done tells when that is over.
//
// Every Send, Recv and Flush under way returns. Messages is closed; what is
// queued in it can still be received. Close does not wait for its consumer.
//
// The error says that accepted messages were lost: it wraps
// os.ErrDeadlineExceeded if they could not be flushed in time, and is the
// failed write otherwise. Err has it as well. Further calls return nil.
//
// Over a net.Conn without CloseWrite (net.Pipe), the connection is closed at
// once after the flush.
func (c *Conn[T]) Close() error {
	return c.CloseWithReason("")
}

// CloseWithReason is Close with a reason. Raw mode has no way to tell it to
// the peer, so it is only logged, at level Info.
func (c *Conn[T]) CloseWithReason(reason string) error {
	if reason != "" {
		c.log.Info("qsocket: closing connection", "peer", addr(c.RemoteAddr()), "reason", reason)
	}
	c.closeWithin()
	c.close()
	<-c.sendEnded
	return c.closeError()
}

// Shutdown closes the Conn as Close does, but waits for the peer, as long as
// ctx allows. In raw mode nil means that everything was flushed and the peer
// then ended without a reset, which is the most that TCP can tell. The peer
// has to end for that: typically it has received our last message and closes.
//
// [ErrUnconfirmed] means that the peer ended otherwise, that messages were
// lost, or that the net.Conn has no CloseWrite with which to wait for the peer.
// When ctx ends, the Conn is closed the hard way and ctx's error returned.
func (c *Conn[T]) Shutdown(ctx context.Context) error {
	c.close()
	select {
	case <-c.done:
		return c.shutdownError()
	default:
	}
	select {
	case <-c.done:
		return c.shutdownError()
	case <-ctx.Done():
		c.kill(ctx.Err())
		return ctx.Err()
	}
}
