package socket

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// patient gives a net.Conn whose Read nothing can interrupt, such as a channel of SSH, read
// deadlines and a Close that wakes a Read. Each Read of the net.Conn runs in a goroutine
// of its own, with a buffer of its own; who has waited for it may leave, and the next Read
// gets the bytes.
//
// Writes have no deadlines: a goroutine that waits in one stays there until the net.Conn
// lets it go.
type patient struct {
	net.Conn

	// Owned by the reader: there is one at a time.
	reading chan result // of the Read under way; nil if there is none
	rest    []byte      // bytes that have come and not been returned
	err     error       // behind them

	mu       sync.Mutex    // guards following
	expired  chan struct{} // closed when the deadline has passed; another one is made when it is set anew
	timer    *time.Timer   // closes expired; nil if there is no deadline, or it has passed
	deadline int           // grows when the deadline changes

	wakeOnce sync.Once
	closed   chan struct{}
}

type result struct {
	b   []byte
	err error
}

// Adopt returns nc, or where nc has no read deadlines a net.Conn over it that has.
func Adopt(nc net.Conn) net.Conn {
	if Interruptible(nc) {
		return nc
	}
	if err := nc.SetReadDeadline(noDeadline); err == nil || errors.Is(err, net.ErrClosed) {
		return nc
	}
	return &patient{Conn: nc, expired: make(chan struct{}), closed: make(chan struct{})}
}

var noDeadline time.Time

// IsAdopted reports whether Adopt has made nc of another net.Conn.
func IsAdopted(nc net.Conn) bool {
	_, ok := nc.(*patient)
	return ok
}

// Given returns the net.Conn of which Adopt has made nc.
func Given(nc net.Conn) net.Conn {
	if p, ok := nc.(*patient); ok {
		return p.Conn
	}
	return nc
}

func (p *patient) Read(b []byte) (int, error) {
	if len(p.rest) == 0 && p.err == nil {
		if err := p.await(len(b)); err != nil {
			return 0, err
		}
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	if len(p.rest) > 0 {
		return n, nil
	}
	err := p.err
	p.rest, p.err = nil, nil
	return n, err
}

// await waits for the Read under way, or one of that many bytes that it starts.
func (p *patient) await(size int) error {
	p.mu.Lock()
	expired := p.expired
	p.mu.Unlock()
	select { // these count more than bytes
	case <-p.closed:
		return net.ErrClosed
	case <-expired:
		return os.ErrDeadlineExceeded
	default:
	}
	if p.reading == nil {
		p.reading = make(chan result, 1)
		go p.read(p.reading, make([]byte, size)) // ends with the Read, whenever that is; leaves its result
	}
	select {
	case r := <-p.reading:
		p.reading, p.rest, p.err = nil, r.b, r.err
		return nil
	case <-expired:
		return os.ErrDeadlineExceeded
	case <-p.closed:
		return net.ErrClosed
	}
}

func (p *patient) read(out chan<- result, b []byte) {
	n, err := p.Conn.Read(b)
	if n < 0 || n > len(b) {
		n, err = 0, fmt.Errorf("%T.Read returned %d for %d bytes", p.Conn, n, len(b))
	}
	out <- result{b[:n], err}
}

// SetDeadline is SetReadDeadline.
func (p *patient) SetDeadline(t time.Time) error { return p.SetReadDeadline(t) }

// SetWriteDeadline does nothing: who writes has to look after its own time.
func (p *patient) SetWriteDeadline(time.Time) error { return errors.ErrUnsupported }

// SetReadDeadline wakes, at t, a Read that waits.
func (p *patient) SetReadDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deadline++
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	select {
	case <-p.expired:
		p.expired = make(chan struct{})
	default:
	}
	if t.IsZero() {
		return nil
	}
	left := time.Until(t)
	if left <= 0 {
		close(p.expired)
		return nil
	}
	set := p.deadline
	p.timer = time.AfterFunc(left, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if set == p.deadline {
			close(p.expired)
		}
	})
	return nil
}

// Close wakes a Read that waits, and closes the net.Conn.
func (p *patient) Close() error {
	p.wake()
	return p.Conn.Close()
}

// wake is Close for a net.Conn that is closed already.
func (p *patient) wake() { p.wakeOnce.Do(func() { close(p.closed) }) }
