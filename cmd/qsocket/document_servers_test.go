package main

import (
	"context"
	"testing"

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
	"next":   started(next.Protocol, nil, echoing[next.Message]),
	"v2":     started(v2.Protocol, nil, echoing[v2.Message]),
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
