package qsockettest_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// forwarded returns the ends of a TCP connection through a Proxy.
func forwarded(t *testing.T, up, down faults) (p *qsockettest.Proxy, client, server net.Conn) {
	t.Helper()
	p = qsockettest.NewProxy(1, up, down)
	t.Cleanup(p.Close)
	client, server = dialed(t, func(addr string) string {
		addr, err := p.Listen(addr)
		if err != nil {
			t.Fatal(err)
		}
		return addr
	})
	t.Cleanup(func() { client.Close(); server.Close() })
	return p, client, server
}

func TestListenCut(t *testing.T) {
	for _, test := range []struct {
		how  qsockettest.Cut
		want error
	}{
		{qsockettest.FIN, nil},
		{qsockettest.RST, syscall.ECONNRESET},
	} {
		_, client, server := forwarded(t, faults{Cut: test.how, CutAfter: 5}, faults{})
		write(t, client, "hello, world")
		wantRead(t, server, "hello")
		wantEnd(t, server, test.want)
		wantEnd(t, client, test.want)
	}
}

func TestListenPassesEnds(t *testing.T) {
	_, client, server := forwarded(t, faults{Latency: ms}, faults{Latency: ms})
	write(t, client, "question")
	closeWrite(t, client)
	wantRead(t, server, "question")
	wantEnd(t, server, nil)
	write(t, server, "answer")
	wantRead(t, client, "answer")
	setLinger0(t, server)
	server.Close()
	wantEnd(t, client, syscall.ECONNRESET)
}

// Random faults change nothing in what arrives.
func TestListenRandomFaults(t *testing.T) {
	want := make([]byte, 100_000)
	rand.NewChaCha8([32]byte{2}).Read(want)
	for _, f := range []faults{
		{Split: 1000, Jitter: ms},
		{Merge: 5 * ms, Latency: 5 * ms},
		{Bandwidth: 1 << 20, Split: 5000},
		{DribbleBytes: 5000, DribbleEvery: ms},
	} {
		_, client, server := forwarded(t, f, f)
		var wg sync.WaitGroup
		for _, nc := range []net.Conn{client, server} {
			wg.Go(func() {
				write(t, nc, string(want))
				closeWrite(t, nc)
			})
			wg.Go(func() {
				if got, err := io.ReadAll(nc); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%+v: %d bytes, %v, want the %d that were sent", f, len(got), err, len(want))
				}
			})
		}
		result(t, "the transfer", async(func() bool { wg.Wait(); return true }))
	}
}

func TestListenBlackHole(t *testing.T) {
	p, client, server := forwarded(t, faults{}, faults{})
	write(t, client, "before")
	wantRead(t, server, "before")
	p.Cut(qsockettest.BlackHole)
	write(t, client, "lost")
	setLinger0(t, client)
	client.Close()
	server.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	wantEnd(t, server, os.ErrDeadlineExceeded)
	server.SetReadDeadline(time.Time{})
	p.Close() // resets what is left
	wantEnd(t, server, syscall.ECONNRESET)
}

// A client whose server cannot be reached is reset.
func TestListenDeadTarget(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	p := qsockettest.NewProxy(1, faults{}, faults{})
	defer p.Close()
	addr, err := p.Listen(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	client, err := net.Dial("tcp", addr)
	if err == nil {
		defer client.Close()
		_, err = client.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%v, want %v", err, syscall.ECONNRESET)
	}
	p.Close()
	if _, err := net.Dial("tcp", addr); err == nil {
		t.Error("dialing after Close: no error")
	}
	if _, err := p.Listen(addr); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Listen after Close: %v, want %v", err, net.ErrClosed)
	}
}

// Ends without a half-close are closed instead.
func TestBetweenNetPipes(t *testing.T) {
	a, pa := net.Pipe()
	pb, b := net.Pipe()
	p := qsockettest.NewProxy(1, faults{Split: 2}, faults{})
	defer p.Close()
	p.Between(pa, pb)
	write(t, a, "hello")
	wantRead(t, b, "hello")
	write(t, b, "hi")
	wantRead(t, a, "hi")
	p.Set(faults{Stall: true}, faults{})
	p.Set(faults{}, faults{})
	write(t, a, "again")
	wantRead(t, b, "again")
	a.Close()
	wantEnd(t, b, nil)
	b.Close()
}

// A TLS connection is reset below TLS.
func TestBetweenTLS(t *testing.T) {
	a, pa := qsockettest.NetPipe()
	pb, b := qsockettest.NetPipe()
	defer a.Close()
	defer b.Close()
	p := qsockettest.NewProxy(1, faults{}, faults{})
	p.Between(tls.Client(pa, &tls.Config{ServerName: "localhost"}), pb)
	if _, err := io.ReadFull(a, make([]byte, 1)); err != nil { // of the handshake, which has no answer
		t.Fatal(err)
	}
	p.Close()
	if _, err := io.Copy(io.Discard, a); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("after Close: %v, want %v", err, syscall.ECONNRESET)
	}
}

// Everything at the same time: for the race detector, and to end at all.
func TestProxyConcurrentMethods(t *testing.T) {
	p, client, server := forwarded(t, faults{}, faults{})
	a, b := p.Pipe()
	defer a.Close()
	defer b.Close()
	var traffic, settings sync.WaitGroup
	for _, nc := range []net.Conn{a, b, client, server} {
		traffic.Go(func() {
			for {
				if _, err := nc.Write(make([]byte, 10_000)); err != nil {
					return
				}
			}
		})
		traffic.Go(func() { _, _ = io.Copy(io.Discard, nc) })
	}
	for i := range 4 {
		settings.Go(func() {
			for k := range 200 {
				f := faults{Split: i * k * 100, Stall: (i+k)%3 == 0, Merge: time.Duration(k%2) * ms, FlipRate: float64(k) / 200}
				p.Set(f, faults{Jitter: time.Duration(k%3) * ms})
				if k%50 == 0 {
					p.Pipe()
				}
			}
		})
	}
	result(t, "setting faults", async(func() bool { settings.Wait(); return true }))
	cut := async(func() bool { p.Cut(qsockettest.FIN); return true })
	p.Close()
	result(t, "cutting", cut)
	result(t, "the end of the traffic", async(func() bool { traffic.Wait(); return true }))
}
