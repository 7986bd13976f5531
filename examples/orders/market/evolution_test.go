package market_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/examples/orders/market"
	"github.com/fb9bb4ed/qsocket/examples/orders/market/next"
	"github.com/fb9bb4ed/qsocket/examples/orders/market/v2"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// connect returns the two ends of a connection, or why there is none. Each end has
// a protocol of its own.
func connect[T, U any](t *testing.T, p qsocket.Protocol[T], q qsocket.Protocol[U]) (a *qsocket.Conn[T], b *qsocket.Conn[U], errA, errB error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	na, nb := qsockettest.NetPipe()
	done := make(chan struct{})
	go func() { // ends with the handshake
		defer close(done)
		b, errB = qsocket.NewConn(ctx, nb, q, nil)
	}()
	a, errA = qsocket.NewConn(ctx, na, p, nil)
	<-done
	t.Cleanup(func() {
		if a != nil {
			a.Close()
		}
		if b != nil {
			b.Close()
		}
	})
	return a, b, errA, errB
}

func TestOldClientNewGateway(t *testing.T) {
	client, gateway, errC, errG := connect(t, market.Protocol, next.Protocol)
	if errC != nil || errG != nil {
		t.Fatalf("got %v and %v, want them to talk", errC, errG)
	}
	want := map[string]string{
		client.Peer().Differences:  "Fill.venue is only at the peer",
		gateway.Peer().Differences: "Fill.venue is only here",
	}
	for got, want := range want {
		if !strings.Contains(got, want) || !strings.Contains(got, "case 7") {
			t.Errorf("got differences %q, want %q and case 7", got, want)
		}
	}

	ctx := t.Context()
	for _, m := range []next.Message{
		next.Fill{OrderID: 1, Side: market.Buy, Quantity: 10, Price: 250, Venue: "north"},
		next.Halted{Symbol: "RYE"},
		next.Accepted{OrderID: 1},
	} {
		if err := gateway.Send(ctx, m); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []market.Message{
		market.Fill{OrderID: 1, Side: market.Buy, Quantity: 10, Price: 250},
		market.Accepted{OrderID: 1},
	} {
		if got, err := client.Recv(ctx); err != nil || got != want {
			t.Errorf("got %#v, %v, want %#v", got, err, want)
		}
	}
	if s := client.Stats(); s.Unknown != 1 {
		t.Errorf("skipped %d messages, want the Halted", s.Unknown)
	}
}

func TestNewClientOldGateway(t *testing.T) {
	client, gateway, errC, errG := connect(t, next.Protocol, market.Protocol)
	if errC != nil || errG != nil {
		t.Fatalf("got %v and %v, want them to talk", errC, errG)
	}
	if err := gateway.Send(t.Context(), market.Fill{OrderID: 1, Side: market.Sell, Quantity: 5, Price: 250}); err != nil {
		t.Fatal(err)
	}
	want := next.Fill{OrderID: 1, Side: market.Sell, Quantity: 5, Price: 250}
	if got, err := client.Recv(t.Context()); err != nil || got != want {
		t.Errorf("got %#v, %v, want %#v", got, err, want)
	}
}

// renamed is v2 without the new name that it needs.
var renamed = qsocket.Protocol[v2.Message]{Name: market.Protocol.Name, Codec: v2.Protocol.Codec}

func TestIncompatible(t *testing.T) {
	for _, tt := range []struct {
		name               string
		p                  qsocket.Protocol[v2.Message]
		field, local, peer string
	}{
		{"another name", v2.Protocol, "proto", "orders/1", "orders/2"},
		{"the same name", renamed, "types", "Order.limit int64", "Order.limit string"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, errOld, errNew := connect(t, market.Protocol, tt.p)
			var old, new *qsocket.HandshakeError
			if !errors.As(errOld, &old) || *old != (qsocket.HandshakeError{Field: tt.field, Local: tt.local, Peer: tt.peer}) {
				t.Errorf("the old end: got %v", errOld)
			}
			if !errors.As(errNew, &new) || *new != (qsocket.HandshakeError{Field: tt.field, Local: tt.peer, Peer: tt.local}) {
				t.Errorf("the new end: got %v", errNew)
			}
		})
	}
}

// What TestProtocol would say of the two changes, had they been made here.
func TestProtocolOfChanges(t *testing.T) {
	safe := runGolden(next.Protocol)
	for _, want := range []string{
		"\nsafe:\n", "field Fill.venue is new (string)", "case 7 is new (Halted)", "old peers skip it",
		"QSOCKET_UPDATE=1 go test -run TestProtocol records it",
	} {
		if !strings.Contains(safe.errors, want) || strings.Contains(safe.errors, "breaks:") || strings.Contains(safe.errors, "loses:") {
			t.Errorf("next: got %s, want %q, and nothing that breaks or loses", safe.errors, want)
		}
	}

	breaking := runGolden(renamed)
	for _, want := range []string{
		`protocol "orders/1" is not what`,
		"\nbreaks:\n", "field Order.limit was int64 and is string now", "it cannot be decoded: the connection ends",
		"\nloses:\n", "case 6 is gone (it was Price)", "it is skipped",
		"Give the protocol a new version in its Name",
	} {
		if !strings.Contains(breaking.errors, want) {
			t.Errorf("v2: got %s, want %q", breaking.errors, want)
		}
	}
}

// recorder is a test that notes what it is told.
type recorder struct {
	testing.TB
	logs, errors string
}

func runGolden[T any](p qsocket.Protocol[T]) *recorder {
	r := new(recorder)
	done := make(chan struct{})
	go func() { // of its own, as Fatalf ends it
		defer close(done)
		qsockettest.Golden(r, p)
	}()
	<-done
	return r
}

func (r *recorder) Helper()      {}
func (r *recorder) Name() string { return "TestProtocol" }
func (r *recorder) Logf(format string, args ...any) {
	r.logs += fmt.Sprintf(format, args...) + "\n"
}
func (r *recorder) Errorf(format string, args ...any) {
	r.errors += fmt.Sprintf(format, args...) + "\n"
}
func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}
