package transports_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// slowest is how slow a link may be: so many bytes have to come within that time.
type slowest struct {
	what   string // for the document
	bytes  float64
	within time.Duration
	run    func(a, b net.Conn) error // over a link with the bandwidth of the case
	want   error                     // of a link that is slower
}

// rate is in bytes per second.
func (s slowest) rate() float64 { return s.bytes / s.within.Seconds() }

func (s slowest) String() string {
	r := s.rate()
	if r < 1000 {
		return fmt.Sprintf("%.0f B/s", math.Ceil(r/10)*10)
	}
	if r < 10_000 {
		return fmt.Sprintf("%.1f KB/s", math.Ceil(r/100)/10)
	}
	return fmt.Sprintf("%.0f KB/s", math.Ceil(r/1000))
}

var started = time.Now()

var bg = context.Background()

// helloSize is about that of a hello without types.
const helloSize = 60

// tlsRecordSize is that of a full record of TLS 1.3.
const tlsRecordSize = 16<<10 + 22

var slowestLinks = []slowest{
	{what: "a message of 1 MiB (MaxFrame) within 30 s (FrameTimeout)", bytes: 1 << 20, within: 30 * time.Second,
		want: os.ErrDeadlineExceeded,
		run:  func(a, b net.Conn) error { return transfer(a, b, 1<<20) }},
	{what: "256 KiB (SendBuffer) within 5 s (CloseTimeout), for a `Close` behind a full buffer", bytes: 256 << 10, within: 5 * time.Second,
		want: os.ErrDeadlineExceeded,
		run:  closeFull},
	{what: "under TLS: two records of 16 KiB within 30 s (twice Heartbeat)", bytes: 2 * tlsRecordSize, within: 30 * time.Second,
		want: qsocket.ErrPeerDead,
		run: func(a, b net.Conn) error {
			client := testkit.ClientTLS()
			client.ServerName = "localhost"
			client.Time = func() time.Time { return started } // the clock of a bubble is another
			server := testkit.ServerTLS()
			server.DynamicRecordSizingDisabled = true // as package tls does behind the first 128 KiB of a stream
			return transfer(tls.Client(a, client), tls.Server(b, server), 16_000)
		}},
	{what: "a hello of 60 bytes within 10 s (HandshakeTimeout)", bytes: helloSize, within: 10 * time.Second,
		want: os.ErrDeadlineExceeded,
		run:  func(a, b net.Conn) error { return transfer(a, b, 0) }},
}

// transfer sends a few messages of a size from b to a, in named mode.
func transfer(na, nb net.Conn, size int) error {
	a, b, err := connect(na, nb)
	if err != nil {
		return err
	}
	defer testkit.End(a)
	defer testkit.End(b)
	sent := testkit.Async(func() error { return sendAll(b, 0, 3, size) })
	for i := range 3 {
		m, err := a.Recv(bg)
		if err != nil {
			return err
		}
		if err := check(m, i, size); err != nil {
			return err
		}
	}
	return <-sent
}

// closeFull closes an end that has as much in its buffer as SendBuffer allows.
func closeFull(na, nb net.Conn) error {
	a, b, err := connect(na, nb)
	if err != nil {
		return err
	}
	defer testkit.End(a)
	defer testkit.End(b)
	go func() { // ends with the connection
		for range b.All(bg) {
		}
	}()
	for n := 0; n < 1<<20; n += 32 << 10 { // what is below SendBuffer is full by then
		if err := a.Send(bg, make([]byte, 32<<10)); err != nil {
			return err
		}
	}
	return a.Close()
}

func connect(na, nb net.Conn) (a, b *qsocket.Conn[[]byte], err error) {
	p := named.protocol()
	other := testkit.Async(func() error {
		var err error
		b, err = qsocket.NewConn(bg, nb, p, nil)
		return err
	})
	a, errA := qsocket.NewConn(bg, na, p, nil)
	errB := <-other
	if err := errors.Join(errA, errB); err != nil {
		for _, c := range []*qsocket.Conn[[]byte]{a, b} {
			if c != nil {
				testkit.End(c)
			}
		}
		return nil, nil, err
	}
	return a, b, nil
}

// TestSlowLinks runs each case over a link that is a little faster than it says, and over one
// that is far slower.
func TestSlowLinks(t *testing.T) {
	testkit.CA() // not in a bubble, for the same reason
	for _, s := range slowestLinks {
		for _, test := range []struct {
			name   string
			factor float64
			want   error
		}{{"fast enough", 1.15, nil}, {"too slow", 0.45, s.want}} {
			t.Run(s.what+"/"+test.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					link := qsockettest.Faults{Bandwidth: int(s.rate() * test.factor)}
					p := qsockettest.NewProxy(1, link, link)
					defer p.Close()
					a, b := p.Pipe()
					if err := s.run(a, b); !errors.Is(err, test.want) || err != nil && test.want == nil {
						t.Errorf("with %d bytes per second: %v, want %v", link.Bandwidth, err, test.want)
					}
				})
			})
		}
	}
}
