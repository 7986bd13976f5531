package netconns

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// kind is a kind of net.Conn, made of a stream in memory that keeps all the rules.
type kind struct {
	name string
	wrap func(*qsockettest.StreamConn) net.Conn

	recvCtx  recvCtx // what the ctx of a Recv does
	halfless bool    // no CloseWrite
}

// recvCtx is what the end of the ctx of a Recv costs.
type recvCtx int

const (
	costsTheCall  recvCtx = iota
	costsTheConn          // a passed deadline is fatal
	costsPatience         // Recv returns only when something comes
)

var kinds = []kind{
	{name: "a wrapper", wrap: func(s *qsockettest.StreamConn) net.Conn { return struct{ net.Conn }{s} }, halfless: true},
	{name: "a type that cannot be compared", wrap: func(s *qsockettest.StreamConn) net.Conn { return incomparable{Conn: s, hooks: []func(){}} }, halfless: true},
	{name: "NetConn leads in a circle", wrap: func(s *qsockettest.StreamConn) net.Conn { r := &ring{StreamConn: s}; r.next = &ring{s, r}; return r }},
	{name: "errors whose methods panic", wrap: func(s *qsockettest.StreamConn) net.Conn { return panickingErrors{s} }},
	{name: "timeouts of their own", wrap: func(s *qsockettest.StreamConn) net.Conn { return ownTimeouts{s} }},
	{name: "fatal deadlines", wrap: func(s *qsockettest.StreamConn) net.Conn { return &fatalDeadlines{StreamConn: s} }, recvCtx: costsTheConn},
	{name: "no deadlines", wrap: func(s *qsockettest.StreamConn) net.Conn { return noDeadlines{s} }},
	{name: "no deadlines, and Close wakes nothing", wrap: func(s *qsockettest.StreamConn) net.Conn { return &deaf{noDeadlines{s}} }},
	{name: "deadlines that are not kept", wrap: func(s *qsockettest.StreamConn) net.Conn { return deafDeadlines{s} }, recvCtx: costsPatience},
	{name: "Close does not wake Write", wrap: func(s *qsockettest.StreamConn) net.Conn { return newSleepy(s) }},
	{name: "Close does not return", wrap: func(s *qsockettest.StreamConn) net.Conn { return slowClose{s} }},
}

// incomparable panics if it is compared.
type incomparable struct {
	net.Conn
	hooks []func()
}

func (c incomparable) NetConn() net.Conn { return c.Conn }

type ring struct {
	*qsockettest.StreamConn
	next *ring
}

func (r *ring) NetConn() net.Conn { return r.next }

// SetLinger hides that of the stream, which would end the search.
func (r *ring) SetLinger() {}

// panickingErrors returns errors at the end that are nil pointers.
type panickingErrors struct{ *qsockettest.StreamConn }

func (c panickingErrors) Read(b []byte) (int, error) {
	n, err := c.StreamConn.Read(b)
	if errors.Is(err, net.ErrClosed) {
		err = (*net.OpError)(nil)
	}
	return n, err
}

func (c panickingErrors) Write(b []byte) (int, error) {
	n, err := c.StreamConn.Write(b)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		err = (*net.OpError)(nil)
	}
	return n, err
}

// errTimeout is a timeout as net.Error has it, and none of package os.
type errTimeout struct{}

func (errTimeout) Error() string   { return "i/o deadline reached" }
func (errTimeout) Timeout() bool   { return true }
func (errTimeout) Temporary() bool { return true }

func ownTimeout(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errTimeout{}
	}
	return err
}

// ownTimeouts is as a stream of yamux or smux.
type ownTimeouts struct{ *qsockettest.StreamConn }

func (c ownTimeouts) Read(b []byte) (int, error) {
	n, err := c.StreamConn.Read(b)
	return n, ownTimeout(err)
}

func (c ownTimeouts) Write(b []byte) (int, error) {
	n, err := c.StreamConn.Write(b)
	return n, ownTimeout(err)
}

// fatalDeadlines is as a WebSocket: a Read that has run into its deadline is the end.
type fatalDeadlines struct {
	*qsockettest.StreamConn
	mu   sync.Mutex
	dead bool
}

func (c *fatalDeadlines) isDead(err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dead = c.dead || errors.Is(err, os.ErrDeadlineExceeded)
	return c.dead
}

func (c *fatalDeadlines) Read(b []byte) (int, error) {
	if c.isDead(nil) {
		return 0, errors.New("failed to get reader: connection is closed")
	}
	n, err := c.StreamConn.Read(b)
	if c.isDead(err) {
		return 0, errors.New("failed to read frame header: connection is closed")
	}
	return n, err
}

func (c *fatalDeadlines) Write(b []byte) (int, error) {
	if c.isDead(nil) {
		return 0, errors.New("failed to write msg: connection is closed")
	}
	n, err := c.StreamConn.Write(b)
	if c.isDead(err) {
		return n, errors.New("failed to write msg: connection is closed")
	}
	return n, err
}

// noDeadlines is as a channel of SSH.
type noDeadlines struct{ *qsockettest.StreamConn }

func (noDeadlines) SetDeadline(time.Time) error      { return errors.New("deadline not supported") }
func (noDeadlines) SetReadDeadline(time.Time) error  { return errors.New("deadline not supported") }
func (noDeadlines) SetWriteDeadline(time.Time) error { return errors.New("deadline not supported") }

// deaf has a Close that tells the peer, and wakes nothing here.
type deaf struct{ noDeadlines }

func (c *deaf) Close() error { return c.CloseWrite() }

// deafDeadlines says that it sets deadlines.
type deafDeadlines struct{ *qsockettest.StreamConn }

func (deafDeadlines) SetDeadline(time.Time) error      { return nil }
func (deafDeadlines) SetReadDeadline(time.Time) error  { return nil }
func (deafDeadlines) SetWriteDeadline(time.Time) error { return nil }

// sleepy is as a rate limiter that sleeps in Write, whatever happens: as long as the peer does
// not read.
type sleepy struct {
	*qsockettest.StreamConn
	mu sync.Mutex // Writes do not mix
}

func newSleepy(s *qsockettest.StreamConn) *sleepy { return &sleepy{StreamConn: s} }

func (c *sleepy) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for n := 0; n < len(b); {
		_ = c.StreamConn.SetWriteDeadline(time.Now().Add(time.Millisecond))
		k, err := c.StreamConn.Write(b[n:])
		if n += k; errors.Is(err, os.ErrDeadlineExceeded) {
			time.Sleep(200 * time.Millisecond)
			continue
		}
		if err != nil {
			return n, err
		}
	}
	return len(b), nil
}

func (c *sleepy) SetDeadline(t time.Time) error      { return c.StreamConn.SetReadDeadline(t) }
func (c *sleepy) SetWriteDeadline(t time.Time) error { return nil }

// slowClose has a Close that waits a minute, for a peer say.
type slowClose struct{ *qsockettest.StreamConn }

func (c slowClose) Close() error {
	_ = c.SetDeadline(time.Unix(1, 0))
	time.Sleep(time.Minute)
	return c.StreamConn.Close()
}
