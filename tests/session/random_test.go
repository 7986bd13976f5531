package session

import (
	"context"
	"flag"
	"io"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

var anyFrames = flag.Int("session.frames", 1000, "how many peers TestSession18AnyFrames has, and servers TestSession18AnyFramesOfAServer")

func peers() int {
	if testkit.RaceEnabled && *anyFrames == 1000 {
		return 200
	}
	return *anyFrames
}

// A peer that knows all frames of a session, and sends them in any order, on any number of connections, with counts that are
// right, or a little wrong, while the program does what programs do: nothing panics, and the session ends.
func TestSession18AnyFrames(t *testing.T) {
	for range peers() {
		seed := rand.Uint64()
		synctest.Test(t, func(t *testing.T) {
			opts := serverOptions()
			opts.SessionExpiry = time.Minute
			k := newKit(t, opts)
			r := rand.New(rand.NewPCG(seed, 1))
			id := newID()
			p := k.ask(hello{id: id, try: 1, isNew: true})
			server := <-k.arrived
			contend(server)
			go anything(server, rand.New(rand.NewPCG(seed, 2)))
			for try := 2; try < 2+r.IntN(4); try++ {
				p.anyFrames(r)
				nc, err := k.network.DialContext(t.Context(), "tcp", address)
				if err != nil {
					t.Fatal(err)
				}
				if r.IntN(2) == 0 {
					_ = p.nc.Close()
				}
				p = newPeer(t, nc)
				contend(server)
				p.sayHello(hello{id: id, try: try - r.IntN(2), got: r.Uint64N(6), isNew: r.IntN(3) == 0})
			}
			p.anyFrames(r)
			time.Sleep(time.Second)
			_ = p.nc.Close()
			select {
			case <-server.Done():
			case <-time.After(10 * time.Minute):
				t.Errorf("seed %d: the session does not end", seed)
			}
			time.Sleep(time.Minute) // what anything does ends as well
		})
		if t.Failed() {
			return
		}
	}
}

// The same of a server.
func TestSession18AnyFramesOfAServer(t *testing.T) {
	for range peers() {
		seed := rand.Uint64()
		synctest.Test(t, func(t *testing.T) {
			network := qsockettest.Listen(address)
			served := testkit.Async(func() error {
				r := rand.New(rand.NewPCG(seed, 1))
				for n := 0; ; n++ {
					nc, err := network.Accept()
					if err != nil {
						return nil
					}
					if n == 20 {
						_ = network.Close()
					}
					p := newPeer(t, nc)
					p.sayHelloOfServer("session/1", 0x1000)
					state := byte(resumed)
					if n == 0 {
						state = created
					} else if r.IntN(8) == 0 {
						state = byte(r.IntN(8))
					}
					p.control(4, 0x82, 0xa2, 's', 't', state, 0xa3, 'g', 'o', 't', byte(r.IntN(2)*r.IntN(6)))
					p.anyFrames(r)
					time.Sleep(time.Duration(r.IntN(2)) * time.Second)
					if r.IntN(3) > 0 {
						_ = nc.Close()
					}
				}
			})
			client, err := qsocket.DialSession(t.Context(), "tcp", address, protocol, &qsocket.Options{
				DialContext: network.DialContext, SessionExpiry: time.Minute, Backoff: func(int) time.Duration { return 10 * time.Millisecond },
			})
			if err == nil {
				go anything(client, rand.New(rand.NewPCG(seed, 2)))
				select {
				case <-client.Done():
				case <-time.After(10 * time.Minute):
					t.Errorf("seed %d: the session does not end", seed)
				}
			}
			_ = network.Close()
			<-served
			time.Sleep(time.Minute)
		})
		if t.Failed() {
			return
		}
	}
}

// anything is a program that has a session.
func anything(s *qsocket.Session[int], r *rand.Rand) {
	for i := range 3 + r.IntN(10) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		switch r.IntN(9) {
		case 0, 1, 2:
			_ = s.Send(ctx, i)
		case 3:
			_, _ = s.TrySend(i)
		case 4, 5:
			_, _ = s.Recv(ctx)
		case 6:
			time.Sleep(time.Millisecond)
		case 7:
			_ = s.Sync(ctx)
		case 8:
			if r.IntN(3) == 0 {
				_ = s.CloseWrite()
			}
		}
		cancel()
	}
	switch r.IntN(3) {
	case 0:
		_ = s.Close()
	case 1:
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		_ = s.Shutdown(ctx)
		cancel()
	case 2:
		for range s.Messages() {
		}
		_ = s.Close()
	}
	for range s.Unacknowledged() {
	}
}

// anyFrames sends some frames, and reads whatever comes.
func (p *peer) anyFrames(r *rand.Rand) {
	nc := p.nc
	go func() { _, _ = io.Copy(io.Discard, nc) }() // ends with the connection
	frame := func(kind byte, body ...byte) []byte {
		size := 1 + len(body)
		return append([]byte{0x80, 0, byte(size >> 8), byte(size), kind}, body...)
	}
	for range r.IntN(8) {
		var b []byte
		switch r.IntN(12) {
		case 0, 1, 2, 3:
			b = []byte{0, 0, 0, 1, byte(r.IntN(100))}
		case 4, 5:
			b = frame(5, 0, 0, 0, 0, 0, 0, 0, byte(r.IntN(6)))
		case 6:
			b = frame(6)
		case 7:
			b = frame(1, 0x80)
		case 8:
			b = frame(1, 0x81, 0xa4, 'f', 'u', 'l', 'l', 0xc3)
		case 9:
			b = frame(2)
		case 10:
			b = frame(byte(0x80 + r.IntN(4)))
		case 11:
			if r.IntN(4) == 0 {
				b = frame(byte(r.IntN(256)), 0x80)
			} else {
				time.Sleep(time.Duration(r.IntN(3)) * time.Millisecond)
			}
		}
		if _, err := nc.Write(b); err != nil {
			return
		}
	}
}
