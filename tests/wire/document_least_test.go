package wire

import (
	"context"
	"encoding/binary"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// A client that does what docs/wire.md, "The least that a peer has to do", says, and no
// more, is a peer whose messages are taken and which is not given up meanwhile.
func TestWireDocumentLeast(t *testing.T) {
	_, blocks := wireDocument(t)
	synctest.Test(t, func(t *testing.T) {
		nc, peer := qsockettest.NetPipe()
		const heartbeat = time.Second
		served := testkit.Async(func() error {
			c, err := qsocket.NewConn(context.Background(), nc, ticks, &qsocket.Options{Heartbeat: heartbeat})
			if err != nil {
				return err
			}
			testkit.Echo(context.Background(), c)
			if err := c.Err(); err != nil {
				return err
			}
			return c.Shutdown(context.Background())
		})

		var mu sync.Mutex // for whole frames, and last
		var last time.Time
		write := func(b []byte) {
			mu.Lock()
			defer mu.Unlock()
			last = time.Now()
			if _, err := peer.Write(b); err != nil {
				t.Error(err)
			}
		}
		read := func(n uint32) []byte {
			b := make([]byte, n)
			if _, err := io.ReadFull(peer, b); err != nil {
				t.Fatal(err)
			}
			return b
		}

		// 1. The short hello. The peer's says the same of the protocol, as the other tests know.
		write(hexOf(t, blocks["peer-hello"]))
		read(binary.BigEndian.Uint32(read(8)[4:]))

		// 3. Heartbeats.
		stop := make(chan struct{})
		var beats sync.WaitGroup
		beats.Go(func() { // until stop
			tick := time.NewTicker(heartbeat / 8)
			defer tick.Stop()
			for {
				select {
				case <-stop:
					return
				case <-tick.C:
				}
				mu.Lock()
				idle := time.Since(last)
				mu.Unlock()
				if idle >= heartbeat/2 {
					write(hexOf(t, blocks["heartbeat"]))
				}
			}
		})

		// 2. and 5. Messages, a long silence, more messages, half a goodbye.
		const messages = 10
		go func() { // until all is written
			for i := range messages {
				if i == messages/2 {
					time.Sleep(100 * heartbeat)
				}
				write(hexOf(t, blocks["message"]))
			}
			write(hexOf(t, blocks["goodbye-half"]))
		}()

		// 4. What comes.
		got, confirmed, goodbye := 0, false, false
		for !confirmed || !goodbye {
			n := binary.BigEndian.Uint32(read(4))
			if n < 1<<31 {
				read(n)
				got++
				continue
			}
			switch body := read(n & (1<<31 - 1)); {
			case string(body) == string(hexOf(t, blocks["goodbye-full"])[4:]):
				goodbye = true
				close(stop)
				beats.Wait()
				write(hexOf(t, blocks["confirm"]))
				write(hexOf(t, blocks["goodbye-full"]))
			case body[0] == 3:
				confirmed = true
			case body[0] != 2 && body[0] < 0x80:
				t.Fatalf("got the control frame % x", body)
			}
		}
		peer.CloseWrite()
		if rest, err := io.ReadAll(peer); len(rest) > 0 || err != nil {
			t.Errorf("the peer said % x, %v, behind its goodbye", rest, err)
		}
		peer.Close()
		if err := <-served; err != nil || got != messages {
			t.Errorf("got %d messages and %v, want %d and nil", got, err, messages)
		}
	})
}
