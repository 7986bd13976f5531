package qsocket

import (
	"context"
	"fmt"

	"github.com/fb9bb4ed/qsocket/internal/link"
)

// CloseWrite ends sending and leaves receiving as it is: it flushes what Send
// accepted and tells the peer, whose Messages ends, that no more comes. In named
// mode it sends a half goodbye; in raw mode it closes the write side of the socket
// (FIN, or close_notify under TLS). It waits for CloseTimeout at most; if
// accepted messages could not be flushed by then, the Conn is ended with an
// error that wraps os.ErrDeadlineExceeded. On a Conn that has failed it returns
// the failure; if the peer has closed with a reason, the [*RemoteError]. Calling it
// again sends nothing, and returns the failure if there is one.
//
// In raw mode over a net.Conn that has no method CloseWrite, such as that of
// net.Pipe, it does nothing and returns an error that wraps errors.ErrUnsupported.
func (c *Conn[T]) CloseWrite() error { return c.link.CloseWrite() }

// Close ends the Conn: it flushes what Send accepted, says goodbye (in raw mode:
// closes the write side of the socket) and returns, after CloseTimeout at most.
// In the background it discards what the peer still sends until the peer ends too or
// CloseTimeout is over, because closing a socket with unread data makes the kernel
// destroy messages that the peer has yet to read. Done is closed when that is over.
//
// Every Send, Recv and Flush under way returns. Messages is closed; what is
// queued in it can still be received. Close does not wait for its consumer.
//
// The error says that accepted messages were lost: it wraps
// os.ErrDeadlineExceeded if they could not be flushed in time, and is the
// failed write otherwise. Err has it as well, and also reports failures to receive, of
// which Close says nothing. Further calls return nil.
//
// Before the process exits, wait for Done or use Shutdown: when the process ends,
// so does the discarding.
//
// A Recv returns at once over TCP, Unix sockets, net.Pipe and TLS over those; over other
// net.Conns when the peer ends, after CloseTimeout at the latest (see NewConn).
//
// Over a net.Conn without CloseWrite (net.Pipe), Close waits for no more than
// 100 ms until the goodbye is taken, and in raw mode the connection is closed at
// once after the flush.
func (c *Conn[T]) Close() error { return c.link.Close(link.Reason{}, false) }

// CloseWithReason is Close with a reason, which becomes the peer's Err as a
// [*RemoteError]. It is cut to 1,024 bytes at the end of a character, and bytes
// that are not UTF-8 become U+FFFD. In raw mode there is no way to send it to the peer.
// This end logs it at level Info. An empty reason is a Close.
func (c *Conn[T]) CloseWithReason(reason string) error {
	return c.closeFor(link.Reason{Words: reason})
}

// CloseWithCode is CloseWithReason with a code by which the peer's program can tell what to
// do: the Code of its [*RemoteError]. Codes of the program's own begin at 1,000; the
// library's may be used as well. From 11 to 999 they are reserved: then the error says so,
// and c is as before. An empty reason becomes code.String(), and with code 0 it is CloseWithReason.
func (c *Conn[T]) CloseWithCode(code Code, reason string) error {
	if err := code.check(); err != nil {
		return err
	}
	return c.closeFor(newReason(code, reason))
}

// check returns an error for a code that no program may close with.
func (c Code) check() error {
	if c.isReserved() {
		return fmt.Errorf("qsocket: CloseWithCode with the code %d, want one of the library's, 1 to %d, or from %d on", c, CodeInternal, firstOwnCode)
	}
	return nil
}

// closeFor closes with a reason of the program's.
func (c *Conn[T]) closeFor(reason link.Reason) error {
	if reason != (link.Reason{}) {
		c.link.LogReason(reason)
	}
	return c.link.Close(reason, false)
}

// Shutdown closes the Conn as Close does, but waits for the peer, as long as ctx
// allows. In named mode nil means that the peer has confirmed that its reader took
// every message, which is not to say that its program has processed them; it
// returns as soon as the confirm has come. [ErrUnconfirmed] means that the peer ended
// without confirming: it had closed itself and dropped something, or is gone.
//
// In raw mode nil means that everything was flushed and the peer
// ended without a reset, which is the most that TCP can tell. The peer has to end
// for that: typically it has received our last message and closes. If it had
// ended before, there is nothing to wait for, and nil says no more than Flush.
// ErrUnconfirmed means that the peer ended otherwise, that messages were
// lost, or that the net.Conn has no CloseWrite with which to wait for the peer.
//
// When ctx ends, the Conn is closed the hard way and ctx's error returned. Nothing
// else bounds the wait but the CloseTimeout of a Close or CloseWrite of the same
// Conn, so give it a deadline: a peer whose program does not receive never confirms. (The
// Close with which Serve ends a Conn does not bound it.)
func (c *Conn[T]) Shutdown(ctx context.Context) error { return c.link.Shutdown(ctx) }
