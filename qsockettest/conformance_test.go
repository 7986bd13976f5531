package qsockettest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// streams are connections that must behave alike, with the kernel's as the model.
var streams = []struct {
	name string
	pair func(t testing.TB) (a, b net.Conn)
}{
	{"tcp", func(t testing.TB) (a, b net.Conn) {
		return dialed(t, func(addr string) string { return addr })
	}},
	{"network", func(t testing.TB) (a, b net.Conn) {
		ln := qsockettest.Listen("server")
		defer ln.Close()
		return connected(t, ln, ln.DialContext)
	}},
	{"netpipe", func(t testing.TB) (a, b net.Conn) {
		a, b = qsockettest.NetPipe()
		return a, b
	}},
	{"proxy", func(t testing.TB) (a, b net.Conn) {
		p := qsockettest.NewProxy(1, qsockettest.Faults{}, qsockettest.Faults{})
		t.Cleanup(p.Close)
		a, b = p.Pipe()
		return a, b
	}},
	{"proxy network", func(t testing.TB) (a, b net.Conn) {
		ln := qsockettest.Listen("server")
		defer ln.Close()
		p := qsockettest.NewProxy(1, qsockettest.Faults{}, qsockettest.Faults{})
		t.Cleanup(p.Close)
		return connected(t, ln, p.Through(ln.DialContext))
	}},
	{"proxy tcp", func(t testing.TB) (a, b net.Conn) {
		p := qsockettest.NewProxy(1, qsockettest.Faults{}, qsockettest.Faults{})
		t.Cleanup(p.Close)
		return dialed(t, func(addr string) string {
			addr, err := p.Listen(addr)
			if err != nil {
				t.Fatal(err)
			}
			return addr
		})
	}},
}

func forStreams(t *testing.T, test func(t *testing.T, a, b net.Conn)) {
	for _, s := range streams {
		t.Run(s.name, func(t *testing.T) {
			a, b := s.pair(t)
			t.Cleanup(func() { a.Close(); b.Close() })
			test(t, a, b)
		})
	}
}

// dialed returns the two ends of a TCP connection. via says what to dial to
// get to the listener's address.
func dialed(t testing.TB, via func(addr string) string) (a, b net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return connected(t, ln, func(ctx context.Context, network, address string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", via(address))
	})
}

// connected returns the two ends of a connection to ln.
func connected(t testing.TB, ln net.Listener, dial func(context.Context, string, string) (net.Conn, error)) (a, b net.Conn) {
	t.Helper()
	a, err := dial(t.Context(), ln.Addr().Network(), ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err = ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return a, b
}

var linuxTells = runtime.GOOS == "linux" // whether "tcp" is the model for errors after resets

func TestStreamTransfer(t *testing.T) {
	forStreams(t, func(t *testing.T, a, b net.Conn) {
		want := make([]byte, 1<<20)
		rand.NewChaCha8([32]byte{1}).Read(want)
		send := func(nc net.Conn) error {
			r := rand.New(rand.NewPCG(1, 2))
			for rest := want; len(rest) > 0; {
				n := min(len(rest), 1+r.IntN(200_000))
				if _, err := nc.Write(rest[:n]); err != nil {
					return err
				}
				rest = rest[n:]
			}
			return nc.(interface{ CloseWrite() error }).CloseWrite()
		}
		sentA, sentB := async(func() error { return send(a) }), async(func() error { return send(b) })
		gotA := async(func() []byte { got, _ := io.ReadAll(a); return got })
		got, err := io.ReadAll(b)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("b got %d bytes, %v, want %d", len(got), err, len(want))
		}
		if got := result(t, "reading a", gotA); !bytes.Equal(got, want) {
			t.Errorf("a got %d bytes, want %d", len(got), len(want))
		}
		if errA, errB := result(t, "a", sentA), result(t, "b", sentB); errA != nil || errB != nil {
			t.Errorf("sending: %v, %v", errA, errB)
		}
	})
}

func TestStreamHalfClose(t *testing.T) {
	forStreams(t, func(t *testing.T, a, b net.Conn) {
		write(t, a, "question")
		closeWrite(t, a)
		wantRead(t, b, "question")
		wantEnd(t, b, nil)
		wantEnd(t, b, nil)
		wantWriteError(t, a, syscall.EPIPE)
		write(t, b, "answer")
		closeWrite(t, b)
		wantRead(t, a, "answer")
		wantEnd(t, a, nil)
	})
}

func TestStreamReset(t *testing.T) {
	forStreams(t, func(t *testing.T, a, b net.Conn) {
		setLinger0(t, a)
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		wantEnd(t, b, syscall.ECONNRESET)
		if linuxTells {
			wantEnd(t, b, nil)
			wantWriteError(t, b, syscall.EPIPE)
			if err := b.(interface{ CloseWrite() error }).CloseWrite(); !errors.Is(err, syscall.ENOTCONN) {
				t.Errorf("CloseWrite: %v, want %v", err, syscall.ENOTCONN)
			}
		}
	})
}

// A program that closes with unread data resets its peer, as with the kernel.
func TestStreamCloseUnread(t *testing.T) {
	forStreams(t, func(t *testing.T, a, b net.Conn) {
		write(t, b, "two parts")
		wantRead(t, a, "two")
		a.Close()
		wantEnd(t, b, syscall.ECONNRESET)
	})
}

func TestStreamWriteAfterPeersClose(t *testing.T) {
	forStreams(t, func(t *testing.T, a, b net.Conn) {
		write(t, a, "last words")
		a.Close()
		write(t, b, "into the void")
		err := error(nil)
		for err == nil {
			_, err = b.Write([]byte("x"))
		}
		if !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("write: %v, want %v", err, syscall.EPIPE)
		}
	})
}

func TestStreamPastDeadline(t *testing.T) {
	forStreams(t, func(t *testing.T, a, b net.Conn) {
		write(t, b, "there")
		a.SetDeadline(time.Unix(1, 0))
		for range 2 {
			wantEnd(t, a, os.ErrDeadlineExceeded)
			wantWriteError(t, a, os.ErrDeadlineExceeded)
		}
		a.SetDeadline(time.Time{})
		wantRead(t, a, "there")
		write(t, a, "again")
		wantRead(t, b, "again")
	})
}

func TestStreamDeadlineWakes(t *testing.T) {
	fill := func(nc net.Conn) error {
		for {
			if _, err := nc.Write(make([]byte, 1<<20)); err != nil {
				return err
			}
		}
	}
	read := func(nc net.Conn) error { _, err := nc.Read(make([]byte, 1)); return err }
	for _, wait := range []struct {
		name string
		call func(net.Conn) error
		set  func(net.Conn, time.Time) error
	}{
		{"read", read, net.Conn.SetReadDeadline},
		{"write", fill, net.Conn.SetWriteDeadline},
		{"both", read, net.Conn.SetDeadline},
	} {
		t.Run(wait.name, func(t *testing.T) {
			forStreams(t, func(t *testing.T, a, _ net.Conn) {
				for _, after := range []time.Duration{10 * time.Millisecond, -time.Hour} {
					wait.set(a, time.Now().Add(time.Hour))
					done := async(func() error { return wait.call(a) })
					wait.set(a, time.Now().Add(after))
					err := result(t, "the wait", done)
					if ne := net.Error(nil); !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &ne) || !ne.Timeout() {
						t.Errorf("deadline in %v: %v, want %v", after, err, os.ErrDeadlineExceeded)
					}
				}
			})
		})
	}
}

func TestStreamCloseWakes(t *testing.T) {
	forStreams(t, func(t *testing.T, a, _ net.Conn) {
		reader := async(func() error { _, err := a.Read(make([]byte, 1)); return err })
		writer := async(func() error {
			for {
				if _, err := a.Write(make([]byte, 1<<20)); err != nil {
					return err
				}
			}
		})
		a.Close()
		for _, ch := range []<-chan error{reader, writer} {
			if err := result(t, "the wait", ch); !errors.Is(err, net.ErrClosed) {
				t.Errorf("%v, want %v", err, net.ErrClosed)
			}
		}
		if err := a.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("second Close: %v, want %v", err, net.ErrClosed)
		}
		if err := a.SetDeadline(time.Now()); !errors.Is(err, net.ErrClosed) {
			t.Errorf("SetDeadline: %v, want %v", err, net.ErrClosed)
		}
	})
}

// Writes of several goroutines do not mix, even if they are larger than the buffer.
func TestStreamConcurrentWrites(t *testing.T) {
	const writers, size = 4, 200_000
	forStreams(t, func(t *testing.T, a, b net.Conn) {
		var wg sync.WaitGroup
		for i := range writers {
			wg.Go(func() {
				if n, err := a.Write(bytes.Repeat([]byte{byte(i)}, size)); n != size || err != nil {
					t.Errorf("writer %d: %d, %v", i, n, err)
				}
			})
		}
		wrote := async(func() bool { wg.Wait(); a.(interface{ CloseWrite() error }).CloseWrite(); return true })
		got, err := io.ReadAll(b)
		if err != nil || len(got) != writers*size {
			t.Fatalf("%d bytes, %v, want %d", len(got), err, writers*size)
		}
		for i := range writers {
			part := got[i*size : (i+1)*size]
			if bytes.Count(part, part[:1]) != size {
				t.Errorf("part %d is mixed", i)
			}
		}
		result(t, "the writers", wrote)
	})
}

// Everything at the same time: for the race detector, and to end at all.
func TestStreamConcurrentMethods(t *testing.T) {
	forStreams(t, func(t *testing.T, a, b net.Conn) {
		var wg sync.WaitGroup
		for _, nc := range []net.Conn{a, b} {
			for range 20 {
				wg.Go(func() {
					buf := make([]byte, 4096)
					for range 20 {
						nc.SetReadDeadline(time.Now().Add(time.Millisecond))
						nc.Read(buf)
						nc.SetWriteDeadline(time.Now().Add(time.Millisecond))
						nc.Write(buf)
						nc.SetDeadline(time.Now())
						nc.LocalAddr()
						nc.RemoteAddr()
					}
				})
			}
		}
		ended := async(func() bool { wg.Wait(); return true })
		result(t, "the calls", ended)
		closed := async(func() bool {
			var wg sync.WaitGroup
			for _, nc := range []net.Conn{a, b} {
				wg.Go(func() { nc.Close() })
				wg.Go(func() { nc.(interface{ CloseWrite() error }).CloseWrite() })
				wg.Go(func() { nc.Write([]byte("x")) })
				wg.Go(func() { nc.Read(make([]byte, 1)) })
			}
			wg.Wait()
			return true
		})
		result(t, "closing", closed)
	})
}
