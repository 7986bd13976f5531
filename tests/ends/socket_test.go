package ends_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"time"

	known "github.com/fb9bb4ed/qsocket/internal/socket"
)

// socket is the connection under a Conn. The test is its peer and its network.
type socket struct {
	mu       sync.Mutex // guards following
	changed  chan struct{}
	input    []string // each comes with a Read of its own
	inputEnd error    // what a Read returns behind input; nil: it waits
	stalled  bool     // a Write waits
	broken   error    // what a Write returns; nil: it does not fail
	closed   bool
	linger   bool // Close makes no reset
	deadline [2]time.Time
	written  []byte // not yet decoded
	greeted  bool   // there is no hello to come
	log      []note // what the Conn has done
}

const (
	reads = iota
	writes
)

func newSocket(named bool) *socket {
	return &socket{changed: make(chan struct{}), linger: true, greeted: !named}
}

// halfSocket is a socket that can be closed for writing.
type halfSocket struct {
	*socket
	err error // of CloseWrite
}

func (s *halfSocket) CloseWrite() error {
	s.change(func() {
		if s.err == nil {
			s.noteLocked("FIN")
		} else {
			s.noteLocked("no FIN")
		}
	})
	return s.err
}

// Both keep deadlines as the kernel's sockets do, so a Read can be interrupted.
func init() {
	known.Know(reflect.TypeFor[*socket]())
	known.Know(reflect.TypeFor[*halfSocket]())
}

// change calls f and wakes all that wait.
func (s *socket) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	close(s.changed)
	s.changed = make(chan struct{})
}

// latency is how long the peer's bytes are on their way to a Read. In a bubble
// that is as long as anything else goes on, so what the Conn writes because of
// what it has read is written before it can read on. Which is first would
// otherwise be left to the scheduler.
const latency = time.Microsecond

// until waits until ready, which may return an error, or the deadline, or Close.
// It returns with mu held.
func (s *socket) until(which int, ready func() (bool, error)) error {
	s.mu.Lock()
	for arrived := which == writes; ; {
		d := s.deadline[which]
		if s.closed {
			return net.ErrClosed
		}
		if !d.IsZero() && !time.Now().Before(d) {
			return os.ErrDeadlineExceeded
		}
		if ok, err := ready(); ok || err != nil {
			if arrived {
				return err
			}
			arrived = true
			s.mu.Unlock()
			time.Sleep(latency)
			s.mu.Lock()
			continue
		}
		changed := s.changed
		s.mu.Unlock()
		var late <-chan time.Time
		var timer *time.Timer
		if !d.IsZero() {
			timer = time.NewTimer(time.Until(d))
			late = timer.C
		}
		select {
		case <-changed:
		case <-late:
		}
		if timer != nil {
			timer.Stop()
		}
		s.mu.Lock()
	}
}

func (s *socket) Read(b []byte) (n int, err error) {
	err = s.until(reads, func() (bool, error) {
		if len(s.input) == 0 {
			return false, s.inputEnd
		}
		return true, nil
	})
	if err == nil {
		n = copy(b, s.input[0])
		if s.input[0] = s.input[0][n:]; s.input[0] == "" {
			s.input = s.input[1:]
		}
	}
	s.mu.Unlock()
	return n, s.opError("read", err)
}

func (s *socket) Write(b []byte) (n int, err error) {
	err = s.until(writes, func() (bool, error) { return !s.stalled, s.broken })
	if err == nil {
		n = len(b)
		s.written = append(s.written, b...)
		s.decode()
	}
	s.mu.Unlock()
	return n, s.opError("write", err)
}

func (s *socket) opError(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: "test", Err: err}
}

func (s *socket) Close() error {
	s.change(func() {
		if s.closed {
			return
		}
		s.closed = true
		if len(s.written) > 0 {
			s.noteLocked(fmt.Sprintf("%d bytes of a frame", len(s.written)))
		}
		if s.linger {
			s.noteLocked("close")
		} else {
			s.noteLocked("RESET")
		}
	})
	return nil
}

func (s *socket) SetLinger(sec int) error {
	s.change(func() { s.linger = sec != 0 })
	return nil
}

func (s *socket) LocalAddr() net.Addr  { return address("here") }
func (s *socket) RemoteAddr() net.Addr { return address("there") }

type address string

func (a address) Network() string { return "test" }
func (a address) String() string  { return string(a) }

func (s *socket) SetDeadline(t time.Time) error {
	s.change(func() { s.deadline[reads], s.deadline[writes] = t, t })
	return nil
}

func (s *socket) SetReadDeadline(t time.Time) error {
	s.change(func() { s.deadline[reads] = t })
	return nil
}

func (s *socket) SetWriteDeadline(t time.Time) error {
	s.change(func() { s.deadline[writes] = t })
	return nil
}

// note is something that has happened.
type note struct {
	what     string
	message  string
	err      error
	returned bool // it is a call, which has returned message or err
}

func (n note) text(errs *classes) string {
	switch {
	case n.message != "":
		return n.what + "=" + n.message
	case n.returned || n.err != nil:
		return n.what + "=" + errs.of(n.err)
	default:
		return n.what
	}
}

// note adds to the log.
func (s *socket) note(n note) { s.change(func() { s.log = append(s.log, n) }) }

func (s *socket) noteLocked(what string) { s.log = append(s.log, note{what: what}) }

func (s *socket) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// ended reports whether nothing more can come from the peer.
func (s *socket) ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed || s.inputEnd != nil
}

// took returns what the Conn has done since the last call.
func (s *socket) took() []note {
	s.mu.Lock()
	defer s.mu.Unlock()
	log := s.log
	s.log = nil
	return log
}

// decode moves whole frames from written to the log. The caller must hold mu.
func (s *socket) decode() {
	if !s.greeted {
		if len(s.written) < 8 || len(s.written) < 8+int(binary.BigEndian.Uint32(s.written[4:])) {
			return
		}
		s.written = s.written[8+int(binary.BigEndian.Uint32(s.written[4:])):]
		s.greeted = true
	}
	for len(s.written) >= 4 {
		size := int(binary.BigEndian.Uint32(s.written) &^ controlBit)
		if len(s.written) < 4+size {
			return
		}
		s.noteLocked(frameName(s.written[:4+size]))
		s.written = s.written[4+size:]
	}
}

// What the peer sends, see docs/wire.md.
const (
	controlBit = 1 << 31

	peerHello = "QSK\x01\x00\x00\x00\x24" + "\x84\xa5proto\xa6ends/1\xa5codec\xa4text\xa3max\xcd\x04\x00\xa2hb\x00"
	message   = "\x00\x00\x00\x01m"
	noMessage = "\x00\x00\x00\x01!" // the codec refuses it
	part      = "\x00\x00\x00\x09part"
	tooLarge  = "\x7f\xff\xff\xff"
	half      = "\x80\x00\x00\x02\x01\x80"
	full      = "\x80\x00\x00\x08\x01\x81\xa4full\xc3"
	reason    = "\x80\x00\x00\x13\x01\x82\xa6reason\xa3why\xa4full\xc3"
	confirm   = "\x80\x00\x00\x01\x03"
)

// frameName names what the Conn has written.
func frameName(frame []byte) string {
	switch f := string(frame); {
	case f == message:
		return "message"
	case f == half:
		return "half"
	case f == full:
		return "full"
	case f == confirm:
		return "confirm"
	case strings.HasPrefix(f[4:], "\x01") && strings.Contains(f, "full") && strings.Contains(f, "why"):
		return "full(why)"
	case strings.HasPrefix(f[4:], "\x01\x83") && strings.Contains(f[:len(f)-1], "full\xc3\xa4code"):
		return fmt.Sprintf("full(code %d)", f[len(f)-1])
	default:
		return fmt.Sprintf("% x", f)
	}
}

var (
	errReset = syscall.ECONNRESET
	errPipe  = syscall.EPIPE
	errNoFIN = syscall.ENOTCONN
)
