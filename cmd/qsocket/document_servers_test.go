package main

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/examples/echo"
	orders "github.com/fb9bb4ed/qsocket/examples/orders/market"
	"github.com/fb9bb4ed/qsocket/examples/orders/market/next"
	v2 "github.com/fb9bb4ed/qsocket/examples/orders/market/v2"
	"github.com/fb9bb4ed/qsocket/internal/schema"
)

// documentServers are the servers of the documents, by name. Each starts one at a free port of loopback.
var documentServers = map[string]func(testing.TB) (addr string, stop func()){
	"echo":   started(echo.Protocol, nil, echoing[string]),
	"orders": started(orders.Protocol, nil, gateway),
	"same":   started(orders.Protocol, nil, echoing[orders.Message]),
	"next":   started(next.Protocol, nil, echoing[next.Message]),
	"v2":     started(v2.Protocol, nil, echoing[v2.Message]),
	"free":   freePort,
	"full":   fullServer,
	"feed":   feed,
	"torn":   torn,
	"slow": started(echo.Protocol, nil, func(ctx context.Context, c *qsocket.Conn[string]) {
		for line, err := range c.All(ctx) {
			time.Sleep(5 * time.Millisecond) // what it takes for each
			if err != nil || c.Send(ctx, line) != nil {
				return
			}
		}
	}),
}

// freePort is a port at which nothing listens.
func freePort(t testing.TB) (addr string, stop func()) {
	nl, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nl.Close()
	return nl.Addr().String(), func() {}
}

// fullServer has as many connections as it may have.
func fullServer(t testing.TB) (addr string, stop func()) {
	s := serve(t, orders.Protocol, &qsocket.Options{MaxConns: 1}, gateway)
	c, err := qsocket.Dial(t.Context(), "tcp", s.Addr().String(), orders.Protocol, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s.Addr().String(), func() { c.Close(); s.stop() }
}

// feed sends prices to all clients, as fast as they take them, and disconnects those that are slow.
func feed(t testing.TB) (addr string, stop func()) {
	clients := qsocket.NewGroup(echo.Protocol, qsocket.Disconnect)
	s := serve(t, echo.Protocol, &qsocket.Options{SendBuffer: 1 << 20}, func(ctx context.Context, c *qsocket.Conn[string]) {
		clients.Add(c)
		select {
		case <-c.Done():
		case <-ctx.Done():
		}
	})
	quit, done := make(chan struct{}), make(chan struct{})
	go func() { // ends with quit
		defer close(done)
		price := strings.Repeat("RYE 101.50 ", 2000)
		for {
			select {
			case <-quit:
				return
			case <-time.After(time.Millisecond): // a rate
				_, _ = clients.Broadcast(context.Background(), price)
			}
		}
	}()
	return s.Addr().String(), func() { close(quit); <-done; s.stop() }
}

// torn is a server that ends in the middle of a message, as one that was killed.
func torn(t testing.TB) (addr string, stop func()) {
	return strings.TrimPrefix(hostile(t, func(nc net.Conn) {
		_, _ = nc.Write(serverHello(nil))
		first := make([]byte, 1)
		if _, err := io.ReadFull(nc, first); err == nil {
			_, _ = nc.Write([]byte("\x00\x00\x00\x05\xa4tick\x00\x00\x00\x05\xa4to"))
			_ = nc.(*net.TCPConn).CloseWrite()
		}
	}), "tcp://"), func() {}
}

// started makes an entry of documentServers.
func started[T any](p qsocket.Protocol[T], opts *qsocket.Options, handle func(context.Context, *qsocket.Conn[T])) func(testing.TB) (string, func()) {
	return func(t testing.TB) (string, func()) {
		s := serve(t, p, opts, handle)
		return s.Addr().String(), s.stop
	}
}

// gateway accepts each order, and fills the whole of it at its limit.
func gateway(ctx context.Context, c *qsocket.Conn[orders.Message]) {
	for m, err := range c.All(ctx) {
		order, ok := m.(orders.Order)
		if err != nil || !ok {
			return
		}
		for _, answer := range []orders.Message{
			orders.Accepted{OrderID: order.ID},
			orders.Fill{OrderID: order.ID, Side: order.Side, Quantity: order.Quantity, Price: order.Limit},
		} {
			if c.Send(ctx, answer) != nil {
				return
			}
		}
	}
}

// documentFiles are in the directory in which the commands of the documents run.
func documentFiles(t testing.TB) map[string]string {
	return map[string]string{
		"orders_1.protocol": recordOf(orders.Protocol),
		"next.protocol":     recordOf(next.Protocol),
		"orders_2.protocol": recordOf(v2.Protocol),
		"orders.jsonl": `{"case":"Order","value":{"id":1,"sym":"RYE","side":1,"qty":10,"limit":20000}}
{"case":"Order","value":{"id":2,"sym":"OAT","side":2,"qty":5,"limit":18050}}
`,
		"ticks.jsonl": `{"Symbol":"ABC","Price":101.5,"At":"2026-01-02T15:04:05.123456Z"}
{"Symbol":"DEFG","Price":99.25,"At":"2026-01-02T15:04:05.223456Z"}
`,
	}
}

func recordOf[T any](p qsocket.Protocol[T]) string {
	return schema.RecordTitle(p.Name) + "\n" + p.Schema()
}
