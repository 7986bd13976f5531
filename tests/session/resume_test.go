package session

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// A server that has no place for a connection just then ends no session: the client comes back later.
func TestResumeAtAFullServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := serverOptions()
		opts.MaxConns = 1
		k := newKit(t, opts)
		client, server := k.pair(nil)
		send(t, client, 1, 3)
		expect(t, server, 1, 3)
		// Another client takes the place in the moment in which the connection is lost.
		k.cut()
		synctest.Wait()
		other, err := qsocket.Dial(t.Context(), "tcp", address, protocol, &qsocket.Options{DialContext: k.network.DialContext})
		if err != nil {
			t.Fatal(err)
		}
		<-k.arrived
		send(t, client, 4, 6)
		time.Sleep(10 * time.Second)
		if client.Err() != nil || client.NetConn() != nil {
			t.Errorf("Err %v, with a connection: %v", client.Err(), client.NetConn() != nil)
		}
		testkit.End(other)
		expect(t, server, 4, 6)
	})
}

// An end of a connection that has failed by a timeout has lost a connection, and so has the other.
func TestTimeoutIsTheLossOfAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := serverOptions()
		opts.FrameTimeout = 5 * time.Second
		k := newKit(t, opts)
		slow := qsockettest.NewProxy(1, qsockettest.Faults{}, qsockettest.Faults{})
		defer slow.Close()
		copts := k.clientOptions()
		direct := copts.DialContext
		dials := 0
		copts.DialContext = func(ctx context.Context, nw, addr string) (net.Conn, error) {
			if dials++; dials == 1 {
				return slow.Through(direct)(ctx, nw, addr)
			}
			return direct(ctx, nw, addr)
		}
		client, server := k.pair(copts)
		slow.Set(qsockettest.Faults{DribbleBytes: 1, DribbleEvery: 2 * time.Second}, qsockettest.Faults{})
		send(t, client, 1000, 1003) // of 8 bytes: 16 s
		expect(t, server, 1000, 1003)
		send(t, server, 1, 3)
		expect(t, client, 1, 3)
		if client.Err() != nil || server.Err() != nil || dials != 2 {
			t.Errorf("%v, %v, after %d dials", client.Err(), server.Err(), dials)
		}
	})
}

// Both ends have said that they send no more, and the last words of the server are lost: its word about the session is
// enough.
func TestBothHalvesAndTheConfirmIsLost(t *testing.T) {
	for after := range int64(60) {
		synctest.Test(t, func(t *testing.T) {
			k := newKit(t, serverOptions())
			bad := qsockettest.NewProxy(1, qsockettest.Faults{}, qsockettest.Faults{})
			defer bad.Close()
			copts := k.clientOptions()
			direct := copts.DialContext
			dials := 0
			copts.DialContext = func(ctx context.Context, nw, addr string) (net.Conn, error) {
				if dials++; dials == 1 {
					return bad.Through(direct)(ctx, nw, addr)
				}
				return direct(ctx, nw, addr)
			}
			client, server := k.pair(copts)
			send(t, client, 1, 1)
			send(t, server, 1, 1)
			expect(t, server, 1, 1)
			expect(t, client, 1, 1)
			synctest.Wait()
			bad.Set(qsockettest.Faults{}, qsockettest.Faults{Cut: qsockettest.RST, CutAfter: 185 + after})
			_ = server.CloseWrite()
			_ = client.CloseWrite()
			<-client.Done()
			<-server.Done()
			if client.Err() != nil || server.Err() != nil {
				t.Errorf("cut after %d: %v, %v", after, client.Err(), server.Err())
			}
		})
	}
}

// An error of the function that dials which is Permanent ends the session, and a callback that panics is logged.
func TestPermanentAndPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, serverOptions())
		own := errors.New("no such host any more")
		dials := 0
		var log testkit.LogRecorder
		copts := &qsocket.Options{
			Logger:    log.Logger(),
			OnSession: func(e qsocket.SessionEvent) { panic("callback") },
			Backoff:   func(int) time.Duration { return time.Second },
		}
		client, err := qsocket.NewSession(t.Context(), func(ctx context.Context) (net.Conn, error) {
			if dials++; dials > 1 {
				return nil, qsocket.Permanent(own)
			}
			return k.dialContext(ctx, "tcp", address)
		}, protocol, copts)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		k.cut()
		<-client.Done()
		synctest.Wait()
		if err := client.Err(); !errors.Is(err, own) || dials != 2 {
			t.Errorf("got %v after %d dials", err, dials)
		}
		if !strings.Contains(log.Text(), "OnSession panicked") {
			t.Errorf("the panic is not in the log:\n%s", log.Text())
		}
	})
}
