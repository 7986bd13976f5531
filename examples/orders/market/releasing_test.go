package market_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/examples/orders/market"
	"github.com/fb9bb4ed/qsocket/examples/orders/market/split"
	"github.com/fb9bb4ed/qsocket/examples/orders/market/v2"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// A price in three releases, in which Last becomes Traded.
type (
	price struct { // before
		Symbol string       `msgpack:"sym"`
		Last   market.Cents `msgpack:"last"`
	}
	priceBoth struct { // releases 1 and 2: both are sent; 1 reads Last, 2 reads Traded
		Symbol string       `msgpack:"sym"`
		Last   market.Cents `msgpack:"last"`
		Traded market.Cents `msgpack:"traded"`
	}
	priceNew struct { // release 3
		Symbol string       `msgpack:"sym"`
		Traded market.Cents `msgpack:"traded"`
	}
)

// release is a version of the program: how it sends a price, and reads one.
type release struct {
	send func(market.Cents) ([]byte, error)
	read func([]byte) (market.Cents, error)
}

func newRelease[T any](send func(market.Cents) T, read func(T) market.Cents) release {
	codec := qsocket.Msgpack[T]()
	return release{
		func(c market.Cents) ([]byte, error) { return codec.NewEncoder().Append(nil, send(c)) },
		func(b []byte) (market.Cents, error) {
			v, err := codec.NewDecoder().Decode(b)
			return read(v), err
		},
	}
}

func sendBoth(c market.Cents) priceBoth { return priceBoth{Symbol: "RYE", Last: c, Traded: c} }

var releases = []release{
	newRelease(func(c market.Cents) price { return price{"RYE", c} }, func(p price) market.Cents { return p.Last }),
	newRelease(sendBoth, func(p priceBoth) market.Cents { return p.Last }),
	newRelease(sendBoth, func(p priceBoth) market.Cents { return p.Traded }),
	newRelease(func(c market.Cents) priceNew { return priceNew{"RYE", c} }, func(p priceNew) market.Cents { return p.Traded }),
}

// Each release understands the one before and the one after. That the first and the last do not
// is why it takes three.
func TestRenameInThreeReleases(t *testing.T) {
	for i, from := range releases {
		for j, to := range releases {
			b, err := from.send(250)
			if err != nil {
				t.Fatal(err)
			}
			got, err := to.read(b)
			if neighbours := max(i-j, j-i) <= 1; err != nil || neighbours && got != 250 {
				t.Errorf("from release %d to %d: got %v, %v", i, j, got, err)
			}
		}
	}
	b, _ := releases[0].send(250)
	if got, _ := releases[3].read(b); got != 0 {
		t.Errorf("from the first to the last: got %v, which would need no releases in between", got)
	}
}

// recordedAs records before, and returns what Golden says of after.
func recordedAs[Old, New any](t *testing.T, before qsocket.Codec[Old], after qsocket.Codec[New]) string {
	t.Helper()
	t.Chdir(t.TempDir())
	t.Setenv("QSOCKET_UPDATE", "1")
	qsockettest.Golden(t, qsocket.Protocol[Old]{Name: "prices/1", Codec: before})
	t.Setenv("QSOCKET_UPDATE", "")
	return runGolden(qsocket.Protocol[New]{Name: "prices/1", Codec: after}).errors
}

func TestGoldenOfReleases(t *testing.T) {
	p, both, renamed := qsocket.Msgpack[price](), qsocket.Msgpack[priceBoth](), qsocket.Msgpack[priceNew]()
	for _, tt := range []struct{ name, got, heading, says string }{
		{"release 1", recordedAs(t, p, both), "safe", "traded is new"},
		{"release 2", recordedAs(t, both, both), "", ""},
		{"release 3", recordedAs(t, both, renamed), "loses", "last is gone"},
		{"all at once", recordedAs(t, p, renamed), "breaks", "looks like a rename"},
		{"a case is retired", recordedAs(t, market.Protocol.Codec, retired.Codec), "loses", "case 6 is gone (it was Price)"},
	} {
		if tt.heading == "" && tt.got != "" || !strings.Contains(tt.got, tt.heading) || !strings.Contains(tt.got, tt.says) ||
			tt.heading != "breaks" && strings.Contains(tt.got, "breaks:") {
			t.Errorf("%s: got %s, want %s: %s", tt.name, tt.got, tt.heading, tt.says)
		}
	}
}

// retired is the protocol without Price, which nobody sends any more.
var retired = qsocket.Protocol[market.Message]{
	Name: "orders/1",
	Codec: qsocket.Union(
		qsocket.Case[market.Message](1, qsocket.Msgpack[market.Order]()),
		qsocket.Case[market.Message](2, qsocket.Msgpack[market.Accepted]()),
		qsocket.Case[market.Message](3, qsocket.Msgpack[market.Rejected]()),
		qsocket.Case[market.Message](4, qsocket.Msgpack[market.Fill]()),
		qsocket.Case[market.Message](5, qsocket.Msgpack[market.Cancelled]()),
		// 6 was Price
		qsocket.SkipUnknown[market.Message](),
	),
}

// A peer that still sends what is retired is not harmed.
func TestRetiredCase(t *testing.T) {
	old, new, errOld, errNew := connect(t, market.Protocol, retired)
	if errOld != nil || errNew != nil {
		t.Fatalf("got %v and %v, want them to talk", errOld, errNew)
	}
	for _, m := range []market.Message{market.Price{Symbol: "RYE"}, market.Cancelled{OrderID: 1}} {
		if err := old.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	if m, err := new.Recv(t.Context()); m != (market.Cancelled{OrderID: 1}) || err != nil || new.Stats().Unknown != 1 {
		t.Errorf("got %v, %v, %d skipped, want what comes after the Price", m, err, new.Stats().Unknown)
	}
}

// dialNewest connects with orders/2 where the gateway has it, and otherwise with orders/1. One of
// the two is nil.
func dialNewest(ctx context.Context, address string) (*qsocket.Conn[v2.Message], *qsocket.Conn[market.Message], error) {
	newer, err := qsocket.Dial(ctx, "tcp", address, v2.Protocol, nil)
	var refused *qsocket.HandshakeError
	if errors.As(err, &refused) && refused.Field == "proto" { // the gateway is older
		older, err := qsocket.Dial(ctx, "tcp", address, market.Protocol, nil)
		return nil, older, err
	}
	return newer, nil, err
}

// Two versions of a protocol are served on one port: clients find the newest that the gateway has.
func TestNewNameBesideTheOld(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, names := range [][]string{{"orders/1"}, {"orders/1", "orders/2"}} {
		nl, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		serving, stop := context.WithCancel(ctx)
		served := make(chan error, 2)
		listeners := split.Split(nl, names...)
		older, err := qsocket.NewListener(listeners[0], market.Protocol, nil)
		if err != nil {
			t.Fatal(err)
		}
		go func() { served <- older.Serve(serving, holdUntilClosed[market.Message]) }() // ends with serving
		if len(names) == 2 {
			newer, err := qsocket.NewListener(listeners[1], v2.Protocol, nil)
			if err != nil {
				t.Fatal(err)
			}
			go func() { served <- newer.Serve(serving, holdUntilClosed[v2.Message]) }() // ends with serving
		}
		two, one, err := dialNewest(ctx, nl.Addr().String())
		if err != nil || (two != nil) != (len(names) == 2) || (one != nil) == (two != nil) {
			t.Errorf("%v: got %v, %v, %v", names, two, one, err)
		}
		if two != nil {
			two.Close()
		}
		if one != nil {
			one.Close()
		}
		stop()
		for range names {
			if err := <-served; err != nil {
				t.Errorf("Serve: %v", err)
			}
		}
	}
}

func holdUntilClosed[T any](_ context.Context, conn *qsocket.Conn[T]) {
	for range conn.Messages() {
	}
}
