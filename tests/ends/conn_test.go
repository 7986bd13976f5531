package ends_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
)

// setting is what a Conn is made with.
type setting struct {
	named   bool
	close   string // of the socket for writing: "half", "no-half", or "failing-half"
	channel bool   // Messages is called at the start
	served  bool   // the Conn is that of a handler of Serve
}

func (s setting) String() string {
	words := []string{"raw", s.close, "pull"}
	if s.named {
		words[0] = "named"
	}
	if s.channel {
		words[2] = "channel"
	}
	if s.served {
		words = append(words, "served")
	}
	return strings.Join(words, "-")
}

// The durations are so far apart that an event which lets time pass is about one of them.
const (
	moment       = 200 * time.Millisecond // longer than what Close and the end of file wait for a writer
	closeTimeout = 5 * time.Second
	frameTimeout = 5 * time.Minute
	heartbeat    = 10 * time.Minute
	long         = time.Hour
)

// text is a codec that keeps state, as far as the library knows: it has no Reset.
type text struct{}

func (text) Name() string                        { return "text" }
func (text) NewEncoder() qsocket.Encoder[string] { return text{} }
func (text) NewDecoder() qsocket.Decoder[string] { return text{} }

func (text) Append(dst []byte, v string) ([]byte, error) {
	switch v {
	case refused:
		return nil, errors.New("refused")
	case panics:
		panic(v)
	}
	return append(dst, v...), nil
}

func (text) Decode(payload []byte) (string, error) {
	if string(payload) == "!" {
		return "", errors.New("no message")
	}
	return string(payload), nil
}

const (
	refused = "refused" // by the encoder, so nothing is sent
	panics  = "panics"
)

// conn is a Conn in the hands of a test.
type conn struct {
	setting
	*qsocket.Conn[string]
	socket *socket
	group  *qsocket.Group[string]
	errors *classes
	calls  []*call         // in the order of their start
	said   map[string]bool // what was written and called ever
	peer   []string        // what the peer has sent
	queue  <-chan string   // Messages; nil if that was not called
	done   <-chan struct{} // the same for Done
	leave  func()          // ends the handler; nil if there is none
}

// call is a call that may take its time.
type call struct {
	cancel func()
	ended  chan struct{}
	note   // what it returned
}

// open makes a Conn. It must be called in a bubble.
func open(t *testing.T, s setting, errs *classes) *conn {
	t.Helper()
	c := &conn{setting: s, socket: newSocket(s.named), errors: errs, said: make(map[string]bool)}
	var nc net.Conn = c.socket
	switch s.close {
	case "half":
		nc = &halfSocket{c.socket, nil}
	case "failing-half":
		nc = &halfSocket{c.socket, errNoFIN}
	}
	p := qsocket.Protocol[string]{Codec: text{}}
	if s.named {
		p.Name = "ends/1"
		c.socket.input = []string{peerHello}
	}
	o := &qsocket.Options{
		MaxFrame:     1024,
		RecvQueue:    1,
		SendBuffer:   8, // one message and no second
		CloseTimeout: closeTimeout,
		FrameTimeout: frameTimeout,
		Heartbeat:    heartbeat,
		Logger:       slog.New(logger{c.socket}),
	}
	if s.served {
		c.serve(t, nc, p, o)
	} else {
		var err error
		if c.Conn, err = qsocket.NewConn(context.Background(), nc, p, o); err != nil {
			t.Fatal(err)
		}
	}
	c.group = qsocket.NewGroup(p, qsocket.Disconnect)
	c.group.Add(c.Conn)
	if s.channel {
		c.queue, c.done = c.Messages(), c.Done()
	}
	settle()
	c.look()
	return c
}

// serve makes the Conn that of a handler, which returns when leave is called.
func (c *conn) serve(t *testing.T, nc net.Conn, p qsocket.Protocol[string], o *qsocket.Options) {
	t.Helper()
	nl := &listener{conns: make(chan net.Conn, 1), closed: make(chan struct{})}
	nl.conns <- nc
	l, err := qsocket.NewListener(nl, p, o)
	if err != nil {
		t.Fatal(err)
	}
	conns, left := make(chan *qsocket.Conn[string]), make(chan struct{})
	go func() { // ends when the handler has returned
		_ = l.Serve(context.Background(), func(ctx context.Context, qc *qsocket.Conn[string]) {
			conns <- qc
			<-left
		})
	}()
	c.Conn = <-conns
	c.leave = func() {
		close(left)
		_ = l.Close()
		c.leave = nil
	}
}

// listener accepts one connection.
type listener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case nc := <-l.conns:
		return nc, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error   { close(l.closed); return nil }
func (l *listener) Addr() net.Addr { return address("here") }

// logger puts what is logged of a connection's end where the rest is.
type logger struct{ s *socket }

func (logger) Enabled(context.Context, slog.Level) bool { return true }
func (l logger) WithAttrs([]slog.Attr) slog.Handler     { return l }
func (l logger) WithGroup(string) slog.Handler          { return l }
func (l logger) Handle(_ context.Context, r slog.Record) error {
	what := strings.TrimPrefix(r.Message, "qsocket: ")
	if what == "connection open" {
		return nil
	}
	n := note{what: fmt.Sprintf("log %q", what)}
	r.Attrs(func(a slog.Attr) bool {
		if err, ok := a.Value.Any().(error); ok {
			n.err = err
		}
		return true
	})
	l.s.note(n)
	return nil
}

// start begins a call, which returns a message or an error.
func (c *conn) start(name string, f func(ctx context.Context) (string, error)) *call {
	ctx, cancel := context.WithCancel(context.Background())
	k := &call{note: note{what: name}, cancel: cancel, ended: make(chan struct{})}
	go func() { // ends with the call
		k.message, k.err = f(ctx)
		k.returned = true
		cancel()
		close(k.ended)
	}()
	c.calls = append(c.calls, k)
	return k
}

// startErr is start for a call that returns an error only.
func (c *conn) startErr(name string, f func(ctx context.Context) error) {
	c.said[name] = true
	c.start(name, func(ctx context.Context) (string, error) { return "", f(ctx) })
}

// cancel ends the ctx of the call of that name that is under way.
func (c *conn) cancel(name string) {
	for _, k := range c.calls {
		if k.what == name {
			k.cancel()
		}
	}
}

// settle waits until nothing moves. No two events happen at the same time.
func settle() {
	time.Sleep(time.Millisecond)
	synctest.Wait()
}

// look waits until nothing moves, and returns what has happened since the last
// look: what was done to the socket, and which calls have returned what.
func (c *conn) look() string {
	settle()
	happened := c.socket.took()
	// What a failing end tells its peer is written while the failure is logged.
	slices.SortStableFunc(happened, func(a, b note) int { return cmp.Compare(a.logsFailure(), b.logsFailure()) })
	for _, n := range happened {
		c.said[n.what] = true
	}
	var under []*call
	for _, k := range c.calls {
		select {
		case <-k.ended:
			happened = append(happened, k.note)
		default:
			under = append(under, k)
		}
	}
	c.calls = under
	var words []string
	for _, n := range happened {
		words = append(words, n.text(c.errors))
	}
	return strings.Join(words, ", ")
}

// logsFailure returns 1 for the line of the log about a failure, and 0 for all else.
func (n note) logsFailure() int {
	if strings.HasPrefix(n.what, "log \"connection failed\"") {
		return 1
	}
	return 0
}

// input makes the peer send b.
func (c *conn) input(name, b string) {
	c.peer = append(c.peer, name)
	c.socket.change(func() { c.socket.input = append(c.socket.input, b) })
}

// endInput makes the peer end.
func (c *conn) endInput(name string, err error) {
	c.peer = append(c.peer, name)
	c.socket.change(func() { c.socket.inputEnd = err })
}

// observation is what can be seen of a Conn after an event.
type observation struct {
	happened string // because of it
	state    string // what there is to see
	past     string // what has happened so far and may count; empty once the socket is closed
	end      string // how it ended
	left     string // what had not ended when everything should have
	situation
}

// key tells states apart.
func (o *observation) key() string { return o.state + "\n" + o.past + "\n" + o.end }

// situation is what decides which events make sense.
type situation struct {
	setting
	pending []string
	peer    []string
	stalled bool // Writes wait
	broken  bool // Writes fail
	closed  bool
	started bool // Messages or Done was called
	queued  int
	handled bool // the handler runs
	closing bool // a call that tells what was lost is under way
}

// observe looks at the Conn, and then ends it.
func (c *conn) observe() (o observation) {
	o.happened = c.look()
	s := c.socket
	o.situation = situation{setting: c.setting, peer: c.peer, started: c.queue != nil, queued: len(c.queue), handled: c.leave != nil}
	s.mu.Lock()
	o.stalled, o.broken, o.closed = s.stalled, s.broken != nil, s.closed
	s.mu.Unlock()
	for _, k := range c.calls {
		o.pending = append(o.pending, k.what)
	}

	o.closing = c.closing() || c.said["leave"] && !o.closed

	stats := c.Stats()
	words := []string{"err=" + c.errors.of(c.Err())}
	if stats.SendBuffered > 0 {
		words = append(words, fmt.Sprintf("unsent=%d", stats.SendBuffered))
	}
	if c.queue != nil {
		words = append(words, fmt.Sprintf("queued=%d", len(c.queue)))
		select {
		case <-c.done:
			words = append(words, "done")
		default:
		}
	}
	if len(o.pending) > 0 {
		words = append(words, "pending="+strings.Join(o.pending, "+"))
	}
	words = append(words, "send="+c.probe())
	if o.closed {
		words = append(words, "closed")
	} else {
		o.past = c.past(&o.situation)
	}
	o.state = strings.Join(words, " ")
	o.end, o.left = c.end()
	return o
}

// probe returns what a Send would say. It leaves no trace: its message is refused.
func (c *conn) probe() string {
	probe := c.start("", func(ctx context.Context) (string, error) { return "", c.Send(ctx, refused) })
	settle()
	probe.cancel() // it waits where there is no room
	<-probe.ended
	c.calls = c.calls[:len(c.calls)-1]
	return c.errors.of(probe.err)
}

// past names what has been said and called, what the peer has sent, and how the
// network is.
func (c *conn) past(s *situation) string {
	var words []string
	for _, what := range []string{"confirm", "half", "full", "full(why)", "full(code 2)", "full(code 3)", "full(code 4)", "full(code 5)", "full(code 6)", "full(code 10)", "FIN", "no FIN", "CloseWrite", "Close", "CloseWithReason", "Shutdown", "leave"} {
		if c.said[what] {
			words = append(words, what)
		}
	}
	if len(c.peer) > 0 {
		words = append(words, "peer="+strings.Join(c.peer, "+"))
	}
	if s.stalled {
		words = append(words, "network=stalled")
	}
	if s.broken {
		words = append(words, "network=broken")
	}
	return strings.Join(words, " ")
}

// end lets the peer end, receives what there is, closes if it is not closing, and
// lets CloseTimeout pass. It returns what has happened, and what is not over by then.
func (c *conn) end() (end, left string) {
	var words []string
	if !c.socket.ended() {
		c.endInput("fin", io.EOF)
		words = append(words, "peer ends: "+c.look())
	}
	c.done = c.Done()
	words = append(words, "received: "+c.drain())
	if !c.closing() {
		c.startErr("Close", func(context.Context) error {
			err := c.Close()
			if c.said["leave"] { // of the two Closes either may be the one that tells what was lost
				return nil
			}
			return err
		})
		words = append(words, "Close: "+c.look())
	}
	time.Sleep(2 * closeTimeout)
	words = append(words, "later: "+c.look(), "received: "+c.drain(), "err="+c.errors.of(c.Err()))
	if c.leave != nil {
		c.leave()
	}
	settle()
	for _, k := range c.calls {
		left += " " + k.what
		k.cancel()
	}
	select {
	case <-c.done:
	default:
		left += " Done"
	}
	select {
	case _, open := <-c.Messages():
		if open {
			left += " Messages with a message"
		}
	default:
		left += " Messages"
	}
	c.socket.mu.Lock()
	if !c.socket.closed {
		left += " socket"
	}
	c.socket.mu.Unlock()
	if left != "" {
		_ = c.socket.Close() // so that the bubble can end
	}
	return strings.Join(words, "; "), left
}

// closing reports whether a call is under way that ends the Conn after
// CloseTimeout. After leave there is none while a Shutdown is.
func (c *conn) closing() bool {
	under := func(name string) bool {
		return slices.ContainsFunc(c.calls, func(k *call) bool { return k.what == name })
	}
	return under("Close") || under("CloseWithReason") || c.said["leave"] && !under("Shutdown") && !c.socket.isClosed()
}

// drain receives until there is an error, and returns what came.
func (c *conn) drain() string {
	var words []string
	for {
		recv := c.start("", func(ctx context.Context) (string, error) { return c.Recv(ctx) })
		settle()
		recv.cancel()
		<-recv.ended
		c.calls = slices.DeleteFunc(c.calls, func(k *call) bool { return k == recv })
		if recv.err == nil {
			words = append(words, recv.message)
			continue
		}
		words = append(words, c.errors.of(recv.err))
		return strings.Join(words, " ")
	}
}
