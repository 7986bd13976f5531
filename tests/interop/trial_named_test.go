package interop

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

type event interface{ isEvent() }

type note struct{ Text string }

func (Value) isEvent() {}
func (note) isEvent()  {}

var events = qsocket.Protocol[event]{
	Name: "events/1",
	Codec: qsocket.Union(
		qsocket.Case[event](1, qsocket.Msgpack[Value]()),
		qsocket.Case[event](300, qsocket.Msgpack[note]()),
		qsocket.SkipUnknown[event](),
	),
}

// unknownCases: each end skips what it does not know.
func unknownCases(t *testing.T, m match) {
	ctx := testkit.Context(t)
	c := meet(t, m, events, nil, "union")
	if got, err := c.Recv(ctx); err != nil || got.(Value).Int != 1 {
		t.Fatalf("got %+v, %v, want 1", got, err)
	}
	if n := c.Stats().Unknown; n != 1 {
		t.Errorf("got %d unknown cases, want 1", n)
	}
	for _, v := range []event{note{"which the peer does not know"}, Value{Int: 2}} {
		if err := c.Send(ctx, v); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := c.Recv(ctx); err != nil || got.(Value).Int != 2 {
		t.Fatalf("got %+v, %v, want 2", got, err)
	}
	part(t, m, c, "union", 1)
}

// heartbeats: a connection without messages lives, and each end knows by the other's heartbeats.
func heartbeats(t *testing.T, m match) {
	ctx := testkit.Context(t)
	beats := make(chan struct{}, 1000)
	c := meet(t, m, m.values(), &qsocket.Options{
		Heartbeat: time.Second,
		Trace: func(f qsocket.Frame) {
			if f.Kind == 2 && !f.Out {
				beats <- struct{}{}
			}
		},
	}, "idle")
	c.Messages() // reads from now on
	for range 3 {
		select {
		case <-beats:
		case <-c.Done():
			t.Fatalf("got %v, want heartbeats", c.Err())
		case <-ctx.Done():
			t.Fatal("got no heartbeat")
		}
	}
	once(t, m, c, "idle")
}

// violations: the library tells the peer what it has done wrong.
func violations(t *testing.T, m match) {
	for _, hex := range []string{"8000000107", "8000000103", "800000020200", "8000000201c0", "80000000", "8000000206010000"} {
		task := "violate " + hex
		c := meet(t, m, m.values(), nil, task)
		if got, err := c.Recv(testkit.Context(t)); !errors.Is(err, qsocket.ErrProtocol) {
			t.Errorf("%s: got %+v, %v, want ErrProtocol", task, got, err)
		}
		testkit.WaitClosed(t, "the end", c.Done())
		m.done(t, task, "0 code 3")
	}
}

// refusals: both ends learn that they do not suit each other.
func refusals(t *testing.T, m match) {
	var refused *qsocket.HandshakeError
	if _, err := dial(t, m, m.values(), nil, "other"); !errors.As(err, &refused) || refused.Field != "proto" {
		t.Errorf("another proto: got %v", err)
	}
	m.done(t, "other", "0 refused")

	opts := &qsocket.Options{Admit: func(context.Context, qsocket.Peer, map[string]string, net.Conn) error {
		return qsocket.Refuse("not today")
	}}
	if _, err := dial(t, m, m.values(), opts, "echo"); !errors.As(err, &refused) || refused.Field != "refused" {
		t.Errorf("not admitted: got %v", err)
	}
	m.done(t, "echo", "0 code 8")

	opts.Admit = func(context.Context, qsocket.Peer, map[string]string, net.Conn) error { return nil }
	once(t, m, meet(t, m, m.values(), opts, "echo"), "echo")
}

// descriptions: the ends tell each other their types, which may differ.
func descriptions(t *testing.T, m match) {
	c := meet(t, m, m.values(), nil, "describe int64")
	found := false
	for d := range c.Peer().DifferenceLines() {
		found = found || fmt.Sprint(d) != ""
	}
	if !found {
		t.Error("no difference is told")
	}
	once(t, m, c, "describe")

	var refused *qsocket.HandshakeError
	if _, err := dial(t, m, m.values(), nil, "describe string"); !errors.As(err, &refused) || refused.Field != "types" {
		t.Errorf("types that do not fit: got %v", err)
	}
	m.done(t, "describe string", "0 refused")
}
