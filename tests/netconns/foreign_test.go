package netconns

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// foreign is a net.Conn as others make them: its type is not known to the library, and what
// its methods return is up to the test.
type foreign struct {
	net.Conn
	read         func(b []byte) (int, error) // nil: that of Conn
	timeoutError error                       // what a Read or a Write returns whose deadline has passed; nil: that of Conn
	noDeadlines  bool                        // SetDeadline and the like fail

	mu    sync.Mutex // guards following
	calls []string   // of Close, and of SetDeadline with one in the past
}

func (c *foreign) Read(b []byte) (n int, err error) {
	if c.read != nil {
		return c.read(b)
	}
	n, err = c.Conn.Read(b)
	return n, c.say(err)
}

func (c *foreign) Write(b []byte) (n int, err error) {
	n, err = c.Conn.Write(b)
	return n, c.say(err)
}

func (c *foreign) say(err error) error {
	if c.timeoutError != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		return c.timeoutError
	}
	return err
}

func (c *foreign) SetDeadline(t time.Time) error {
	if c.noDeadlines {
		return errors.New("no deadlines")
	}
	if !t.IsZero() && t.Before(time.Now()) {
		c.note("deadline")
	}
	return c.Conn.SetDeadline(t)
}

func (c *foreign) SetReadDeadline(t time.Time) error {
	if c.noDeadlines {
		return errors.New("no deadlines")
	}
	return c.Conn.SetReadDeadline(t)
}

func (c *foreign) SetWriteDeadline(t time.Time) error {
	if c.noDeadlines {
		return errors.New("no deadlines")
	}
	return c.Conn.SetWriteDeadline(t)
}

func (c *foreign) Close() error {
	c.note("close")
	return c.Conn.Close()
}

func (c *foreign) note(call string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, call)
}

// foreignTimeout is the error of a deadline in packages that have their own.
type foreignTimeout struct{}

func (foreignTimeout) Error() string   { return "i/o deadline reached" }
func (foreignTimeout) Timeout() bool   { return true }
func (foreignTimeout) Temporary() bool { return true }

// Of a WebSocket that is cut inside a message, bytes may come along with the error that
// are not those of the peer. They must not become part of a message.
func TestForeignSpoiltBytes(t *testing.T) {
	broken := errors.New("cut")
	for _, test := range []struct {
		name string
		err  error
		want string
	}{
		{"failure", broken, ""},
		{"timeout", os.ErrDeadlineExceeded, "whole"}, // the connection goes on
		{"timeout of its own", foreignTimeout{}, "whole"},
		{"given up by the kernel", &net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ETIMEDOUT)}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			nc, _ := testkit.NetPair(t, "pipe")
			reads := []struct {
				text string
				err  error
			}{
				{"\x00\x00\x00\x05first\x00\x00\x00\x05wh", nil},
				{"ole", test.err},
				{"", broken},
			}
			i := 0
			f := &foreign{Conn: nc, read: func(b []byte) (int, error) {
				r := reads[i]
				i = min(i+1, len(reads)-1)
				return copy(b, r.text), r.err
			}}
			c, err := qsocket.NewConn(t.Context(), f, testkit.Text, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer testkit.End(c)
			if got, err := c.Recv(t.Context()); got != "first" || err != nil {
				t.Fatalf("got %q, %v", got, err)
			}
			if test.want != "" {
				if got, err := c.Recv(t.Context()); got != test.want || err != nil {
					t.Fatalf("got %q, %v, want %q", got, err, test.want)
				}
			}
			want := test.err
			if test.want != "" {
				want = broken
			}
			if got, err := c.Recv(t.Context()); !errors.Is(err, want) {
				t.Errorf("got %q, %v, want %v", got, err, want)
			}
			if err := c.Err(); !errors.Is(err, want) {
				t.Errorf("Err is %v, want %v", err, want)
			}
		})
	}
}

// What a net.Conn says when a deadline of ours has passed need not say so.
func TestForeignTimeouts(t *testing.T) {
	cancelled := errors.New("context cancelled")
	for _, test := range []struct {
		name string
		conn func(nc net.Conn) net.Conn
	}{
		{"of its own", func(nc net.Conn) net.Conn { return &foreign{Conn: nc, timeoutError: cancelled} }},
		{"no deadlines", func(nc net.Conn) net.Conn { return &foreign{Conn: nc, noDeadlines: true} }},
	} {
		t.Run(test.name+"/write", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				na, nb := net.Pipe()
				defer nb.Close()
				c, err := qsocket.NewConn(t.Context(), test.conn(na), testkit.Text, &qsocket.Options{WriteTimeout: time.Second, CloseTimeout: time.Second})
				if err != nil {
					t.Fatal(err)
				}
				defer testkit.End(c)
				if err := c.Send(t.Context(), "nobody reads this"); err != nil {
					t.Fatal(err)
				}
				err = c.Flush(t.Context())
				if !errors.Is(err, os.ErrDeadlineExceeded) || !strings.Contains(err.Error(), "WriteTimeout") {
					t.Errorf("got %v, want WriteTimeout", err)
				}
			})
		})
		t.Run(test.name+"/frame", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				na, nb := net.Pipe()
				defer nb.Close()
				c, err := qsocket.NewConn(t.Context(), test.conn(na), testkit.Text, &qsocket.Options{FrameTimeout: time.Second})
				if err != nil {
					t.Fatal(err)
				}
				defer testkit.End(c)
				go nb.Write([]byte{0, 0, 0, 9, 'x'}) // ends with the Read of c
				_, err = c.Recv(t.Context())
				if !errors.Is(err, os.ErrDeadlineExceeded) || !strings.Contains(err.Error(), "FrameTimeout") {
					t.Errorf("got %v, want FrameTimeout", err)
				}
			})
		})
	}
}

// A deadline in the past may break a net.Conn, so that its Close can no longer tell the
// peer that this is a clean end.
func TestForeignCloseBeforeDeadline(t *testing.T) {
	na, nb := net.Pipe()
	defer nb.Close()
	f := &foreign{Conn: na}
	c, err := qsocket.NewConn(t.Context(), f, testkit.Text, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.calls) == 0 || f.calls[0] != "close" {
		t.Errorf("got the calls %q, want close first", f.calls)
	}
}

// deafWriter has a Close that wakes no Write: that takes a deadline.
type deafWriter struct {
	foreign
	woken chan struct{}
	once  sync.Once
}

func (c *deafWriter) Write(b []byte) (int, error) {
	<-c.woken
	return 0, errors.New("woken")
}

func (c *deafWriter) SetDeadline(t time.Time) error {
	if !t.IsZero() && t.Before(time.Now()) {
		c.once.Do(func() { close(c.woken) })
	}
	return nil
}

// A Write that only a deadline wakes leaves no goroutine behind. TestMain looks for it.
func TestForeignWriteIsWoken(t *testing.T) {
	na, nb := net.Pipe()
	defer nb.Close()
	f := &deafWriter{foreign: foreign{Conn: na}, woken: make(chan struct{})}
	c, err := qsocket.NewConn(t.Context(), f, testkit.Text, &qsocket.Options{CloseTimeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Send(context.Background(), "nothing takes this"); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want CloseTimeout", err)
	}
	testkit.WaitClosed(t, "the deadline that wakes the Write", f.woken)
}

// fatal is a net.Conn that a passed read deadline breaks as a whole, as a WebSocket, and
// whose Write is the first to say so.
type fatal struct{ net.Conn }

func (c fatal) Read(b []byte) (n int, err error) {
	n, err = c.Conn.Read(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		_ = c.Conn.Close()
		time.Sleep(time.Millisecond) // in a bubble: until the Write has returned
		err = errors.New("broken")
	}
	return n, err
}

// What a Write says that a passed read deadline has broken is a consequence.
func TestForeignWriteBrokenByReadDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		na, nb := net.Pipe()
		defer nb.Close()
		c, err := qsocket.NewConn(t.Context(), fatal{na}, testkit.Text, &qsocket.Options{FrameTimeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer testkit.End(c)
		if err := c.Send(t.Context(), "nobody reads this"); err != nil {
			t.Fatal(err)
		}
		go nb.Write([]byte{0, 0, 0, 9, 'x'}) // ends with the Read of c
		_, err = c.Recv(t.Context())
		for _, err := range []error{err, c.Err()} {
			if !errors.Is(err, os.ErrDeadlineExceeded) || !strings.Contains(err.Error(), "FrameTimeout") {
				t.Errorf("got %v, want FrameTimeout", err)
			}
		}
	})
}

// tardy is a net.Conn whose first Write takes longer than its deadline allows, and the third
// one fails because of it.
type tardy struct {
	net.Conn
	takes  time.Duration
	writes int
}

func (c *tardy) Write(b []byte) (int, error) {
	if c.writes++; c.writes > 2 {
		return 0, errors.New("cancelled")
	}
	if c.writes == 1 {
		time.Sleep(c.takes)
	}
	return len(b), nil
}

func TestForeignWriteTimeoutSeenLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, test := range []struct {
			takes time.Duration
			want  bool
		}{{time.Second + 50*time.Millisecond, true}, {time.Millisecond, false}} {
			na, nb := net.Pipe()
			c, err := qsocket.NewConn(t.Context(), &tardy{Conn: na, takes: test.takes}, testkit.Text, &qsocket.Options{WriteTimeout: time.Second})
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if err := c.Send(t.Context(), "one for each Write"); err != nil {
					break
				}
				if err = c.Flush(t.Context()); err != nil {
					break
				}
			}
			err = c.Flush(t.Context())
			if err == nil || errors.Is(err, os.ErrDeadlineExceeded) != test.want {
				t.Errorf("after a Write of %v: got %v, want WriteTimeout: %v", test.takes, err, test.want)
			}
			testkit.End(c)
			nb.Close()
		}
	})
}
