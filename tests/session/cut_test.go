package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// script is a whole session: each end sends so many numbers, receives those of the other, and the
// client ends it.
const script = 5

// A connection that is cut at any byte, in either direction and in any way, changes nothing for the programs: each has exactly
// what the other has sent, and knows that.
func TestSession01CutAtEveryByte(t *testing.T) {
	for _, how := range []qsockettest.Cut{qsockettest.FIN, qsockettest.RST, qsockettest.BlackHole} {
		for _, up := range []bool{true, false} {
			t.Run(fmt.Sprintf("%v/up=%v", how, up), func(t *testing.T) {
				for after := int64(0); ; after++ {
					cut := true
					synctest.Test(t, func(t *testing.T) { cut = cutAt(t, how, up, after) })
					if t.Failed() {
						t.Fatalf("cut after %d bytes", after)
					}
					if !cut {
						if after < 100 {
							t.Errorf("the script has %d bytes, want the handshake and more", after)
						}
						return
					}
				}
			})
		}
	}
}

// cutAt runs the script with a first connection that is cut. It reports whether that was so.
func cutAt(t *testing.T, how qsockettest.Cut, up bool, after int64) (cut bool) {
	faults := qsockettest.Faults{Cut: how, CutAfter: after}
	bad := qsockettest.NewProxy(1, qsockettest.Faults{}, qsockettest.Faults{})
	if up {
		bad.Set(faults, qsockettest.Faults{})
	} else {
		bad.Set(qsockettest.Faults{}, faults)
	}
	defer bad.Close()
	network := qsockettest.Listen(address)
	ln, err := qsocket.NewListener(network, protocol, serverOptions())
	if err != nil {
		t.Fatal(err)
	}
	defer testkit.EndListener(ln)
	var handlers sync.WaitGroup
	var mu sync.Mutex
	calls := 0
	var serverErr error
	served := testkit.Async(func() error {
		return ln.ServeSessions(context.Background(), func(ctx context.Context, s *qsocket.Session[int]) {
			mu.Lock()
			calls++
			mu.Unlock()
			err := serverScript(ctx, s)
			mu.Lock()
			serverErr = err
			mu.Unlock()
		})
	})
	dials := 0
	opts := &qsocket.Options{
		Backoff: func(int) time.Duration { return 10 * time.Millisecond },
		DialContext: func(ctx context.Context, nw, addr string) (net.Conn, error) {
			if dials++; dials == 1 {
				return bad.Through(network.DialContext)(ctx, nw, addr)
			}
			return network.DialContext(ctx, nw, addr)
		},
	}
	client, err := qsocket.DialSession(t.Context(), "tcp", address, protocol, opts)
	if err != nil { // the first connection has to come about
		if dials > 1 {
			t.Errorf("DialSession: %v after %d dials", err, dials)
		}
		mu.Lock()
		defer mu.Unlock()
		if calls > 1 {
			t.Errorf("%d handlers", calls)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		mu.Unlock()
		_ = ln.Drain(ctx, "") // a session whose welcome was lost expires
		mu.Lock()
		return true
	}
	if err := clientScript(t.Context(), client); err != nil {
		t.Errorf("client: %v", err)
	}
	_ = client.Close()
	handlers.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	if err := ln.Drain(ctx, ""); err != nil {
		t.Errorf("Drain: %v", err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	if calls != 1 {
		t.Errorf("%d handlers", calls)
	}
	if serverErr != nil {
		t.Errorf("server: %v", serverErr)
	}
	return client.Stats().Resumes > 0 || dials > 1
}

func clientScript(ctx context.Context, s *qsocket.Session[int]) error {
	for i := 1; i <= script; i++ {
		if err := s.Send(ctx, i); err != nil {
			return err
		}
		if err := recvNumber(ctx, s, i); err != nil {
			return err
		}
	}
	if err := s.CloseWrite(); err != nil {
		return err
	}
	if _, err := s.Recv(ctx); err != io.EOF {
		return fmt.Errorf("after the last one got %v, want io.EOF", err)
	}
	if err := s.Shutdown(ctx); err != nil {
		return fmt.Errorf("Shutdown: %w", err)
	}
	return s.Err()
}

func serverScript(ctx context.Context, s *qsocket.Session[int]) error {
	for i := 1; i <= script; i++ {
		if err := s.Send(ctx, i); err != nil {
			return err
		}
		if err := recvNumber(ctx, s, i); err != nil {
			return err
		}
	}
	if _, err := s.Recv(ctx); err != io.EOF {
		return fmt.Errorf("after the last one got %v, want io.EOF", err)
	}
	if err := s.Shutdown(ctx); err != nil {
		return fmt.Errorf("Shutdown: %w", err)
	}
	return s.Err()
}

func recvNumber(ctx context.Context, s *qsocket.Session[int], want int) error {
	got, err := s.Recv(ctx)
	if err == nil && got != want {
		err = fmt.Errorf("got %d, want %d", got, want)
	}
	return err
}

// A first connection that fails leaves nothing behind.
func TestSession30CutDuringTheFirstDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, serverOptions())
		bad := qsockettest.NewProxy(1, qsockettest.Faults{}, qsockettest.Faults{Cut: qsockettest.RST, CutAfter: 20})
		defer bad.Close()
		opts := k.clientOptions()
		opts.DialContext = bad.Through(k.dialContext)
		if _, err := qsocket.DialSession(t.Context(), "tcp", address, protocol, opts); err == nil {
			t.Error("the session has begun")
		}
		time.Sleep(time.Hour)
		if k.dials() != 1 {
			t.Errorf("%d dials", k.dials())
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := qsocket.DialSession(ctx, "tcp", address, protocol, k.clientOptions()); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	})
}
