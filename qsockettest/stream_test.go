package qsockettest_test

import (
	"bytes"
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket/qsockettest"
)

func TestNetPipeBackPressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := qsockettest.NetPipe()
		defer a.Close()
		defer b.Close()
		const buffer = 64 << 10
		a.SetWriteDeadline(time.Now().Add(time.Minute))
		start := time.Now()
		n, err := a.Write(make([]byte, buffer+1))
		if n != buffer || !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Minute {
			t.Errorf("wrote %d, %v after %v, want %d and a timeout after 1m", n, err, time.Since(start), buffer)
		}
		a.SetWriteDeadline(time.Time{})
		wrote := async(func() error { _, err := a.Write([]byte("more")); return err })
		synctest.Wait()
		select {
		case err := <-wrote:
			t.Fatalf("write into a full buffer: %v, want it to wait", err)
		default:
		}
		wantRead(t, b, string(make([]byte, buffer)))
		wantRead(t, b, "more")
		if err := <-wrote; err != nil {
			t.Error(err)
		}
	})
}

// What is unread when a reset comes is lost, unlike after a plain Close.
func TestNetPipeResetDestroys(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(t *testing.T, a *qsockettest.StreamConn)
		want []error // of Reads, after "lost"
		read bool    // "lost" is to be had
	}{
		{"close", func(t *testing.T, a *qsockettest.StreamConn) {}, []error{nil, nil}, true},
		{"linger", func(t *testing.T, a *qsockettest.StreamConn) { setLinger0(t, a) }, []error{syscall.ECONNRESET, nil}, false},
		{"half-closed before", func(t *testing.T, a *qsockettest.StreamConn) { closeWrite(t, a); setLinger0(t, a) },
			[]error{syscall.ECONNRESET, nil}, false},
		{"linger and back", func(t *testing.T, a *qsockettest.StreamConn) { setLinger0(t, a); a.SetLinger(-1) }, []error{nil, nil}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, b := qsockettest.NetPipe()
			defer b.Close()
			write(t, a, "lost")
			test.end(t, a)
			a.Close()
			if test.read {
				wantRead(t, b, "lost")
			}
			for _, err := range test.want {
				wantEnd(t, b, err)
			}
		})
	}
}

// The reset is reported once, to the first call.
func TestNetPipeResetToldToWriter(t *testing.T) {
	a, b := qsockettest.NetPipe()
	defer b.Close()
	setLinger0(t, a)
	a.Close()
	wantWriteError(t, b, syscall.ECONNRESET)
	wantWriteError(t, b, syscall.EPIPE)
	wantEnd(t, b, nil)
}

// After the end of file has been read, a reset is no news for the reader.
func TestNetPipeResetAfterEnd(t *testing.T) {
	a, b := qsockettest.NetPipe()
	defer b.Close()
	closeWrite(t, a)
	wantEnd(t, b, nil)
	setLinger0(t, a)
	a.Close()
	wantEnd(t, b, nil)
	wantWriteError(t, b, syscall.EPIPE)
}

// The answer to a write after the peer's Close leaves what it has sent.
func TestNetPipeWriteAfterClose(t *testing.T) {
	a, b := qsockettest.NetPipe()
	defer b.Close()
	write(t, a, "last words")
	a.Close()
	write(t, b, "into the void")
	wantWriteError(t, b, syscall.EPIPE)
	wantRead(t, b, "last words")
	wantEnd(t, b, nil)
	if err := b.CloseWrite(); !errors.Is(err, syscall.ENOTCONN) {
		t.Errorf("CloseWrite: %v, want %v", err, syscall.ENOTCONN)
	}
}

// Resets and ends reach calls that wait.
func TestNetPipeWakes(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(a *qsockettest.StreamConn)
	}{
		{"reset", func(a *qsockettest.StreamConn) { a.SetLinger(0); a.Close() }},
		{"unread", func(a *qsockettest.StreamConn) { a.Close() }},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := qsockettest.NetPipe()
				defer b.Close()
				var told []error
				reads := async(func() error { _, err := b.Read(make([]byte, 1)); return err })
				writes := async(func() error { _, err := b.Write(make([]byte, 100<<10)); return err })
				synctest.Wait()
				test.end(a)
				synctest.Wait()
				for _, err := range []error{<-reads, <-writes} {
					if errors.Is(err, syscall.ECONNRESET) {
						told = append(told, err)
					}
				}
				if len(told) != 1 {
					t.Errorf("told %d times, want once", len(told))
				}
			})
		})
	}
}

func TestNetPipeAddrs(t *testing.T) {
	a, b := qsockettest.NetPipe()
	defer b.Close()
	a.Close()
	_, err := a.Read(nil)
	if want := "read pipe a->b: use of closed network connection"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
	if b.LocalAddr() != a.RemoteAddr() || b.RemoteAddr().Network() != "pipe" {
		t.Errorf("addresses %v and %v", b.LocalAddr(), b.RemoteAddr())
	}
	if _, ok := err.(*net.OpError); !ok {
		t.Errorf("error is a %T, want a *net.OpError", err)
	}
}

// A buffer that wraps around loses and reorders nothing.
func TestNetPipeWrapsAround(t *testing.T) {
	a, b := qsockettest.NetPipe()
	defer a.Close()
	defer b.Close()
	var sent, got []byte
	for i := range 2000 {
		p := bytes.Repeat([]byte{byte(i)}, 1+i%300)
		sent = append(sent, p...)
		write(t, a, string(p))
		for keep := i % 1000; len(sent)-len(got) > keep; {
			buf := make([]byte, min(777, len(sent)-len(got)-keep))
			n, err := b.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, buf[:n]...)
		}
	}
	if !bytes.Equal(got, sent[:len(got)]) || len(sent)-len(got) != 1999%1000 {
		t.Errorf("got %d bytes, want the first of the %d that were sent", len(got), len(sent))
	}
}
