package transports_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// rows is the battery, in the order of the document.
var rows = []row{
	{name: "echo", modes: both, test: echo,
		promise: "messages of 0 bytes to 3 MiB arrive, both ways at once"},
	{name: "recv-ctx", modes: both, test: recvCtx,
		promise: "a ctx that ends costs a `Recv` that call only, between frames and inside of one"},
	{name: "parked", modes: both, test: parked,
		promise: "beside a parked `Recv` or `Messages`, `Send` and `Close` lose nothing, and both receivers end"},
	{name: "close-wakes", modes: both, test: closeWakes,
		promise: "`Close` wakes a parked `Recv` at once, before the peer has ended"},
	{name: "shutdown", modes: both, test: shutdown,
		promise: "`Shutdown` with 60 accepted messages and a parked receiver loses none"},
	{name: "shutdown-nil", modes: both, test: shutdownNil,
		promise: "… and returns nil"},
	{name: "serve-end", modes: both, test: serveEnd,
		promise: "the end of `Serve` loses none of 60 messages that handlers have sent, and waits no longer than for the peer"},
	{name: "serve-wakes", modes: both, test: serveWakes,
		promise: "… and wakes a handler that is parked in `Recv` at once"},
	{name: "flood", modes: both, test: flood,
		promise: "`Close` against a peer that sends without end returns, and what arrives there is a prefix"},
	{name: "flood-all", modes: both, test: floodAll,
		promise: "… and is all that was accepted"},
	{name: "close-write", modes: both, test: closeWrite,
		promise: "`CloseWrite` ends one direction, the other goes on"},
	{name: "close-timeout", modes: both, test: closeTimeout,
		promise: "`Close`, `CloseWrite`, `Done` and `Shutdown` end in time with a peer that reads nothing, and so do a `Send` and a `Flush` that wait"},
	{name: "silence", modes: onlyNamed, test: silence,
		promise: "a peer that is gone without a word is found by its silence; `Recv`, `Send`, `Close` and `Done` end in time"},
	{name: "silence-send", modes: onlyNamed, test: silenceSend,
		promise: "… also by a `Send` that waits, if nothing receives"},
	{name: "frame-timeout", modes: both, test: frameTimeout,
		promise: "FrameTimeout ends a connection whose frame does not go on"},
	{name: "write-timeout", modes: both, test: writeTimeout,
		promise: "WriteTimeout ends a connection whose peer takes nothing"},
	{name: "handshake-timeout", modes: both, test: handshakeTimeout,
		promise: "HandshakeTimeout ends a handshake (in raw mode: of TLS) with a peer that says nothing"},
	{name: "mismatch", modes: onlyNamed, test: mismatch,
		promise: "both ends of a handshake that fails learn why"},
	{name: "failure", modes: both, test: failure,
		promise: "the peer of a connection that has failed does not take it for a clean end"},
	{name: "clean", modes: both, test: clean,
		promise: "the peer of one that was closed does"},
}

// echo sends messages of many sizes both ways at the same time.
func echo(e *env) error {
	sizes := []int{0, 1, 100, 4095, 4096, 16383, 16384, 16385, 65535, 65536, 65537, 1 << 20, 3<<20 + 1}
	opts := &qsocket.Options{MaxFrame: 4 << 20}
	a, b := e.conns(opts, opts)
	var wg sync.WaitGroup
	errs := make([]error, 4)
	for i, ends := range [][2]*qsocket.Conn[[]byte]{{a, b}, {b, a}} {
		wg.Go(func() {
			for n, size := range sizes {
				if err := ends[0].Send(context.Background(), message(n, size)); err != nil {
					errs[2*i] = fmt.Errorf("send %d bytes: %w", size, err)
					return
				}
			}
		})
		wg.Go(func() {
			for n, size := range sizes {
				m, err := ends[1].Recv(testkit.Context(e))
				if err == nil {
					err = check(m, n, size)
				}
				if err != nil {
					errs[2*i+1] = fmt.Errorf("receive %d bytes: %w", size, err)
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// briefly is the ctx of a Recv that is to end.
func briefly(e *env) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	e.Cleanup(cancel)
	return ctx
}

func recvCtx(e *env) error {
	a, b := e.conns(nil, nil)
	expectCtx := func(what string) error {
		r, err := await(e, what+": Recv", recv(briefly(e), a))
		if err != nil {
			return err
		}
		if r.err != context.DeadlineExceeded {
			return fmt.Errorf("%s: got %v, want the error of its ctx", what, r.err)
		}
		return nil
	}
	for i := range 3 {
		if err := expectCtx("between frames"); err != nil {
			return err
		}
		if err := sendAll(a, i, i+1, 100); err != nil {
			return err
		}
		if err := expect(e, b, i, i+1, 100); err != nil {
			return err
		}
		if err := sendAll(b, i, i+1, 100); err != nil {
			return err
		}
		if err := expect(e, a, i, i+1, 100); err != nil {
			return err
		}
	}
	// A frame of which the rest is late. Nothing else writes to b meanwhile.
	frame := append([]byte{0, 0, 0, 200}, message(9, 200)...)
	half := testkit.Async(func() error { _, err := b.NetConn().Write(frame[:100]); return err })
	written := false
	for n := 0; n < 2 || !written; n++ { // in memory the half is written when it has been read
		if err := expectCtx("inside a frame"); err != nil {
			return err
		}
		select {
		case err := <-half:
			if err != nil {
				return err
			}
			half, written = nil, true
		default:
		}
	}
	rest := testkit.Async(func() error { _, err := b.NetConn().Write(frame[100:]); return err })
	if err := expect(e, a, 9, 10, 200); err != nil {
		return err
	}
	err, late := await(e, "the rest of a frame", rest)
	return errors.Join(err, late)
}

func parked(e *env) error {
	for _, way := range []string{"Recv", "Messages"} {
		a, b := e.conns(nil, nil)
		var first <-chan received
		if way == "Recv" {
			first = recv(testkit.Context(e), a)
		} else {
			messages := a.Messages()
			first = testkit.Async(func() received { return received{message: <-messages} })
		}
		if err := sendAll(a, 0, 10, 1000); err != nil {
			return err
		}
		if err := expect(e, b, 0, 10, 1000); err != nil {
			return fmt.Errorf("beside %s: %w", way, err)
		}
		if err := sendAll(b, 0, 1, 1000); err != nil {
			return err
		}
		got, err := await(e, way, first)
		if err == nil {
			err = check(got.message, 0, 1000)
		}
		if err != nil {
			return fmt.Errorf("%s: %w (%v)", way, err, got.err)
		}
		ended := testkit.Async(func() error { // parks again
			if way == "Messages" {
				for range a.Messages() {
				}
				return net.ErrClosed
			}
			_, err := a.Recv(context.Background())
			return err
		})
		taken := testkit.Async(func() error {
			if err := expect(e, b, 10, 20, 1000); err != nil {
				return err
			}
			if err := expectEnd(e, b, io.EOF); err != nil {
				return err
			}
			return b.Close()
		})
		if err := sendAll(a, 10, 20, 1000); err != nil {
			return err
		}
		if err := awaitError(e, "Close", a.Close); err != nil {
			return err
		}
		if err, late := await(e, "the peer", taken); err != nil || late != nil {
			return fmt.Errorf("after Close beside %s: %w", way, errors.Join(err, late))
		}
		if err, late := await(e, way, ended); !errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("%s after Close: %w, want net.ErrClosed", way, errors.Join(err, late))
		}
		if err := errors.Join(a.Err(), b.Err()); err != nil {
			return err
		}
	}
	return nil
}

// closeWakes has a peer that does nothing until the end, so that only Close itself, or its
// CloseTimeout, ends a Recv.
func closeWakes(e *env) error {
	const timeout = 2 * time.Second
	a, b := e.conns(&qsocket.Options{CloseTimeout: timeout}, nil)
	// A round trip first, so that a is parked when it ends, or about to be.
	first := recv(testkit.Context(e), a)
	if err := sendAll(b, 0, 1, 10); err != nil {
		return err
	}
	if _, err := await(e, "a message", first); err != nil {
		return err
	}
	var parked sync.WaitGroup
	parked.Add(1)
	var end time.Time
	ended := testkit.Async(func() error {
		parked.Done()
		_, err := a.Recv(context.Background())
		end = time.Now()
		return err
	})
	parked.Wait()
	if err := sendAll(a, 0, 1, 10); err != nil {
		return err
	}
	if err := expect(e, b, 0, 1, 10); err != nil {
		return err
	}
	start := time.Now()
	closed := testkit.Async(a.Close)
	if err, late := await(e, "Recv", ended); !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("Recv: %v, %v, want net.ErrClosed", err, late)
	}
	if err, late := await(e, "Close", closed); err != nil || late != nil {
		return fmt.Errorf("Close: %w", errors.Join(err, late))
	}
	if took := end.Sub(start); took >= timeout {
		return fmt.Errorf("Recv returned after %v, CloseTimeout is %v", took.Round(100*time.Millisecond), timeout)
	}
	return nil
}

const accepted = 60

// shutDown shuts a down with 60 accepted messages.
func shutDown(e *env) (err, lost error) {
	a, b := e.conns(nil, nil)
	ended := testkit.Async(func() error { _, err := a.Recv(context.Background()); return err })
	late := make(chan struct{})
	taken := testkit.Async(func() error {
		<-late
		if err := expect(e, b, 0, accepted, 2000); err != nil {
			return err
		}
		if err := expectEnd(e, b, io.EOF); err != nil {
			return err
		}
		return b.Close()
	})
	if err := sendAll(a, 0, accepted, 2000); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), e.patience)
	defer cancel()
	down := testkit.Async(func() error { return a.Shutdown(ctx) })
	close(late)
	err, late1 := await(e, "Shutdown", down)
	lost, late2 := await(e, "the peer", taken)
	_, late3 := await(e, "Recv", ended)
	return err, errors.Join(lost, late1, late2, late3, a.Err(), b.Err())
}

func shutdown(e *env) error {
	err, lost := shutDown(e)
	if err != nil && !errors.Is(err, qsocket.ErrUnconfirmed) {
		return err
	}
	return lost
}

func shutdownNil(e *env) error {
	err, _ := shutDown(e)
	return err
}

// oneListener accepts one connection that is there already.
type oneListener struct {
	nc     net.Conn
	given  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newOneListener(nc net.Conn) *oneListener {
	l := &oneListener{nc: nc, given: make(chan net.Conn, 1), closed: make(chan struct{})}
	l.given <- nc
	return l
}

func (l *oneListener) Accept() (net.Conn, error) {
	select {
	case nc := <-l.given:
		return nc, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *oneListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *oneListener) Addr() net.Addr { return l.nc.LocalAddr() }

// serveEnd ends the ctx of Serve when the handler has sent, and waits for a message.
func serveEnd(e *env) error {
	na, nb := e.kind.open(e, e.net)
	ln, err := qsocket.NewListener(newOneListener(na), e.mode.protocol(), nil)
	if err != nil {
		e.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	sent := make(chan error, 1)
	served := testkit.Async(func() error {
		return ln.Serve(ctx, func(ctx context.Context, c *qsocket.Conn[[]byte]) {
			sent <- sendAll(c, 0, accepted, 2000)
			for range c.All(ctx) {
			}
		})
	})
	b, err := qsocket.NewConn(testkit.Context(e), nb, e.mode.protocol(), nil)
	if err != nil {
		return err
	}
	e.Cleanup(func() { testkit.End(b) })
	taken := testkit.Async(func() error {
		if err := expect(e, b, 0, accepted, 2000); err != nil {
			return err
		}
		if err := expectEnd(e, b, io.EOF); err != nil {
			return err
		}
		return b.Close()
	})
	if err, late := await(e, "the handler", sent); err != nil || late != nil {
		return errors.Join(err, late)
	}
	cancel()
	if err, late := await(e, "the peer", taken); err != nil || late != nil {
		return errors.Join(err, late)
	}
	if err, late := await(e, "Serve", served); err != nil || late != nil {
		return errors.Join(err, late)
	}
	return b.Err()
}

// serveWakes has a peer that does nothing until the end, as closeWakes has.
func serveWakes(e *env) error {
	const timeout = 2 * time.Second
	na, nb := e.kind.open(e, e.net)
	ln, err := qsocket.NewListener(newOneListener(na), e.mode.protocol(), &qsocket.Options{CloseTimeout: timeout})
	if err != nil {
		e.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	left := make(chan time.Time, 1)
	served := testkit.Async(func() error {
		return ln.Serve(ctx, func(ctx context.Context, c *qsocket.Conn[[]byte]) {
			for m := range c.All(ctx) {
				_ = c.Send(ctx, m) // an error ends the loop too
			}
			left <- time.Now()
		})
	})
	b, err := qsocket.NewConn(testkit.Context(e), nb, e.mode.protocol(), nil)
	if err != nil {
		return err
	}
	e.Cleanup(func() { testkit.End(b) })
	echoed := testkit.Async(func() error { return expect(e, b, 0, 1, 10) })
	if err := sendAll(b, 0, 1, 10); err != nil {
		return err
	}
	if err, late := await(e, "an echo", echoed); err != nil || late != nil {
		return errors.Join(err, late)
	}
	start := time.Now()
	cancel()
	end, late := await(e, "the handler", left)
	err, late2 := await(e, "Serve", served)
	if err := errors.Join(late, err, late2); err != nil {
		return err
	}
	if took := end.Sub(start); took >= timeout {
		return fmt.Errorf("Recv returned after %v, CloseTimeout is %v", took.Round(100*time.Millisecond), timeout)
	}
	return nil
}

// floodUntilClose has b send without end while a sends and closes. It returns how many messages
// of a's have arrived, and whether more were to come.
func floodUntilClose(e *env) (arrived int, err error) {
	a, b := e.conns(nil, nil)
	flooded := testkit.Async(func() error {
		for i := 0; ; i++ {
			if err := b.Send(context.Background(), make([]byte, 10_000)); err != nil {
				return err
			}
		}
	})
	for range 10 { // the flood has begun
		if r, err := await(e, "the flood", recv(testkit.Context(e), a)); err != nil || r.err != nil {
			return 0, errors.Join(err, r.err)
		}
	}
	taken := testkit.Async(func() error {
		for {
			m, err := b.Recv(context.Background())
			if err != nil {
				return nil
			}
			if err := check(m, arrived, 2000); err != nil {
				return err
			}
			arrived++
		}
	})
	if err := sendAll(a, 0, accepted, 2000); err != nil {
		return 0, err
	}
	if err := awaitError(e, "Close", a.Close); err != nil {
		return 0, err
	}
	err, late := await(e, "the peer's Recv", taken)
	_ = b.Close() // over some transports only this end knows that there is no use in sending
	_, late2 := await(e, "the flood's end", flooded)
	return arrived, errors.Join(err, late, late2)
}

func flood(e *env) error {
	_, err := floodUntilClose(e)
	return err
}

func floodAll(e *env) error {
	arrived, err := floodUntilClose(e)
	if arrived < accepted {
		err = errors.Join(err, fmt.Errorf("%d of %d messages arrived", arrived, accepted))
	}
	return err
}

func closeWrite(e *env) error {
	a, b := e.conns(nil, nil)
	if err := sendAll(a, 0, 10, 1000); err != nil {
		return err
	}
	taken := testkit.Async(func() error {
		if err := expect(e, b, 0, 10, 1000); err != nil {
			return err
		}
		if err := expectEnd(e, b, io.EOF); err != nil {
			return err
		}
		return sendAll(b, 0, 10, 1000)
	})
	if err := awaitError(e, "CloseWrite", a.CloseWrite); err != nil {
		if !e.kind.half && e.mode == raw && !errors.Is(err, errors.ErrUnsupported) {
			e.Errorf("%v, want errors.ErrUnsupported", err)
		}
		return err
	}
	if err := expect(e, a, 0, 10, 1000); err != nil {
		return err
	}
	if err, late := await(e, "the peer", taken); err != nil || late != nil {
		return errors.Join(err, late)
	}
	ended := testkit.Async(func() error { return expectEnd(e, a, io.EOF) }) // in memory, what b says is taken by who reads
	if err := awaitError(e, "the peer's Close", b.Close); err != nil {
		return err
	}
	if err, late := await(e, "the peer's end", ended); err != nil || late != nil {
		return errors.Join(err, late)
	}
	if err := awaitError(e, "Close", a.Close); err != nil {
		return err
	}
	return errors.Join(a.Err(), b.Err())
}

// closeTimeout closes with a peer that takes nothing, and messages that are still to be sent.
func closeTimeout(e *env) error {
	const timeout = 200 * time.Millisecond
	opts := &qsocket.Options{CloseTimeout: timeout}
	for _, way := range []struct {
		name  string
		close func(c *qsocket.Conn[[]byte]) error
		want  error
	}{
		{"Close", (*qsocket.Conn[[]byte]).Close, os.ErrDeadlineExceeded},
		{"CloseWrite", (*qsocket.Conn[[]byte]).CloseWrite, os.ErrDeadlineExceeded},
		{"Done", func(c *qsocket.Conn[[]byte]) error {
			go c.Close() // ends with CloseTimeout
			<-c.Done()
			return c.Err()
		}, os.ErrDeadlineExceeded},
		{"Shutdown", func(c *qsocket.Conn[[]byte]) error {
			ctx, cancel := context.WithTimeout(context.Background(), timeout)
			defer cancel()
			return c.Shutdown(ctx)
		}, context.DeadlineExceeded},
	} {
		if way.name == "CloseWrite" && e.mode == raw && !e.kind.half {
			continue
		}
		a, _ := e.conns(opts, opts)
		fill(e, a, 4)
		waiting := map[string]<-chan error{
			"Flush": testkit.Async(func() error { return a.Flush(context.Background()) }),
			"Send":  testkit.Async(func() error { return a.Send(context.Background(), make([]byte, 512<<10)) }),
		}
		ended := testkit.Async(func() error { return way.close(a) })
		err, late := await(e, way.name, ended)
		if late != nil {
			return late
		}
		// The kernel may find room for the rest at the last moment. Then there is no error.
		if !errors.Is(err, way.want) && a.Stats().SendBuffered > 0 {
			return fmt.Errorf("%s: %v, want %v", way.name, err, way.want)
		}
		if way.name == "CloseWrite" { // which leaves the other direction to Close
			if _, late := await(e, "Close", testkit.Async(a.Close)); late != nil {
				return late
			}
		}
		done := testkit.Async(func() error { <-a.Done(); return nil })
		if _, late := await(e, "Done after "+way.name, done); late != nil {
			return late
		}
		for what, returned := range waiting {
			if _, late := await(e, what+" beside "+way.name, returned); late != nil {
				return late
			}
		}
	}
	return nil
}

// silence stops the network without closing anything.
func silence(e *env) error {
	opts := &qsocket.Options{Heartbeat: time.Second, CloseTimeout: 200 * time.Millisecond}
	a, b := e.conns(opts, opts)
	if err := sendAll(b, 0, 1, 100); err != nil {
		return err
	}
	if err := expect(e, a, 0, 1, 100); err != nil {
		return err
	}
	r := recv(testkit.Context(e), a)
	e.net.stop()
	e.Cleanup(e.net.resume)
	sent := testkit.Async(func() error { // waits for room, and in the end for nothing
		for {
			if err := a.Send(context.Background(), make([]byte, 64<<10)); err != nil {
				return err
			}
		}
	})
	got, err := await(e, "Recv", r)
	if err != nil {
		return err
	}
	if !errors.Is(got.err, qsocket.ErrPeerDead) {
		return fmt.Errorf("Recv: %v, want ErrPeerDead", got.err)
	}
	if _, err := await(e, "Close", testkit.Async(a.Close)); err != nil {
		return err
	}
	if _, err := await(e, "Done", testkit.Async(func() error { <-a.Done(); return nil })); err != nil {
		return err
	}
	err, late := await(e, "Send", sent)
	if late != nil {
		return late
	}
	if !errors.Is(err, qsocket.ErrPeerDead) {
		return fmt.Errorf("Send: %w, want ErrPeerDead", err)
	}
	return nil
}

// silenceSend has nobody receive.
func silenceSend(e *env) error {
	opts := &qsocket.Options{Heartbeat: 500 * time.Millisecond, CloseTimeout: 200 * time.Millisecond, SendBuffer: 64 << 10}
	a, _ := e.conns(opts, opts)
	e.net.stop()
	e.Cleanup(e.net.resume)
	ctx, cancel := context.WithTimeout(context.Background(), e.patience)
	defer cancel()
	for {
		err := a.Send(ctx, make([]byte, 10_000))
		if errors.Is(err, qsocket.ErrPeerDead) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("Send: %w, want ErrPeerDead", err)
		}
	}
}

func frameTimeout(e *env) error {
	a, b := e.conns(&qsocket.Options{FrameTimeout: 100 * time.Millisecond}, nil)
	go b.NetConn().Write([]byte{0, 0, 0, 200, 1, 2, 3}) // ends with the Read at the other end, or with the connection
	r, err := await(e, "Recv", recv(testkit.Context(e), a))
	if err != nil {
		return err
	}
	if !errors.Is(r.err, os.ErrDeadlineExceeded) || !strings.Contains(fmt.Sprint(r.err), "FrameTimeout") {
		return fmt.Errorf("got %v, want FrameTimeout", r.err)
	}
	if err := a.Err(); !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("Err is %v", err)
	}
	return nil
}

func writeTimeout(e *env) error {
	a, _ := e.conns(&qsocket.Options{WriteTimeout: 200 * time.Millisecond}, nil)
	sent := testkit.Async(func() error {
		for {
			if err := a.Send(context.Background(), make([]byte, 64<<10)); err != nil {
				return err
			}
		}
	})
	err, late := await(e, "Send", sent)
	if late != nil {
		return late
	}
	for _, err := range []error{err, a.Err()} {
		if !errors.Is(err, os.ErrDeadlineExceeded) || !strings.Contains(err.Error(), "WriteTimeout") {
			return fmt.Errorf("got %w, want WriteTimeout", err)
		}
	}
	return nil
}

func handshakeTimeout(e *env) error {
	na, _ := e.kind.open(e, e.net)
	if e.mode == raw && !e.kind.tls {
		return nil // there is no handshake
	}
	made := testkit.Async(func() error {
		c, err := qsocket.NewConn(context.Background(), na, e.mode.protocol(), &qsocket.Options{HandshakeTimeout: 100 * time.Millisecond})
		if err == nil {
			testkit.End(c)
		}
		return err
	})
	err, late := await(e, "NewConn", made)
	if late != nil {
		return late
	}
	if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("NewConn: %v, want HandshakeTimeout", err)
	}
	return nil
}

func mismatch(e *env) error {
	na, nb := e.kind.open(e, e.net)
	other := e.mode.protocol()
	other.Name = "raw/2"
	made := testkit.Async(func() error {
		_, err := qsocket.NewConn(context.Background(), nb, other, nil)
		return err
	})
	_, err := qsocket.NewConn(context.Background(), na, e.mode.protocol(), nil)
	peers, late := await(e, "the other end", made)
	if late != nil {
		return late
	}
	for _, err := range []error{err, peers} {
		var he *qsocket.HandshakeError
		if !errors.As(err, &he) || he.Field != "proto" {
			return fmt.Errorf("got %v and %v, want a HandshakeError for proto each", err, peers)
		}
	}
	return nil
}

// failure has a fail, because of a frame that is too large.
func failure(e *env) error {
	a, b := e.conns(&qsocket.Options{MaxFrame: 1000}, nil)
	go b.NetConn().Write([]byte{0, 1, 0, 0}) // ends with the Read at the other end
	failed, err := await(e, "Recv", recv(testkit.Context(e), a))
	if err != nil {
		return err
	}
	if !errors.Is(failed.err, qsocket.ErrFrameTooLarge) {
		return fmt.Errorf("got %v, want ErrFrameTooLarge", failed.err)
	}
	r, err := await(e, "the peer's Recv", recv(testkit.Context(e), b))
	if err != nil {
		return err
	}
	if r.err == io.EOF || b.Err() == nil {
		return fmt.Errorf("the peer's Recv returns %v, its Err %v", r.err, b.Err())
	}
	return nil
}

func clean(e *env) error {
	a, b := e.conns(nil, nil)
	ended := testkit.Async(func() error { return expectEnd(e, b, io.EOF) })
	if err := awaitError(e, "Close", a.Close); err != nil {
		return err
	}
	if err, late := await(e, "the peer", ended); err != nil || late != nil {
		return errors.Join(err, late)
	}
	if err := awaitError(e, "the peer's Close", b.Close); err != nil {
		return err
	}
	return errors.Join(a.Err(), b.Err())
}
