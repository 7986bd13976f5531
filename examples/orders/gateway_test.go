package main

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/examples/orders/market"
	"github.com/fb9bb4ed/qsocket/examples/orders/market/next"
	"github.com/fb9bb4ed/qsocket/qsockettest"
	"github.com/google/go-cmp/cmp"
)

// startGateway returns a gateway and a function that ends it.
func startGateway(t *testing.T) (g *gateway, end func() gatewayReport) {
	t.Helper()
	g, err := newGateway("127.0.0.1:0", io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var report gatewayReport
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if report, err = g.run(ctx); err != nil {
			t.Errorf("gateway: %v", err)
		}
	}()
	end = func() gatewayReport {
		cancel()
		<-ended
		return report
	}
	t.Cleanup(func() { end() })
	return g, end
}

// duplex is a connection in memory that buffers nothing and, unlike net.Pipe,
// can be half-closed: a pipe to read from and one to write to.
type duplex struct {
	net.Conn
	out net.Conn
}

func newDuplex() (a, b duplex) {
	outA, inB := net.Pipe()
	outB, inA := net.Pipe()
	return duplex{inA, outA}, duplex{inB, outB}
}

func (d duplex) Write(p []byte) (int, error)        { return d.out.Write(p) }
func (d duplex) CloseWrite() error                  { return d.out.Close() }
func (d duplex) Close() error                       { return errors.Join(d.Conn.Close(), d.out.Close()) }
func (d duplex) SetWriteDeadline(t time.Time) error { return d.out.SetWriteDeadline(t) }
func (d duplex) SetDeadline(t time.Time) error {
	return errors.Join(d.Conn.SetDeadline(t), d.out.SetDeadline(t))
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// Cause: a matching goroutine that sends would wait for this client, and this
// client, before it reads, for the gateway to read.
func TestGatewayIsNotBlockedBySlowClient(t *testing.T) {
	ctx := testContext(t)
	g, end := startGateway(t)

	var orders []market.Order
	for i := range 5 * maxUnsent {
		orders = append(orders, market.Order{
			ID: uint64(i + 1), Symbol: listed[i%len(listed)], Side: market.Buy + market.Side(i%2), Quantity: 10, Limit: 25_000,
		})
	}
	// Between the two nothing is buffered but what the gateway allows a client.
	here, there := newDuplex()
	options := &qsocket.Options{SendBuffer: 1 << 10}
	handled := make(chan struct{})
	go func() {
		defer close(handled)
		served, err := qsocket.NewConn(ctx, there, market.Protocol, options)
		if err != nil {
			t.Error(err)
			return
		}
		g.handle(ctx, served)
		served.Close()
	}()
	slow, err := qsocket.NewConn(ctx, here, market.Protocol, options)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	stuck := make(chan struct{})    // closed when a Send waits
	streamed := make(chan error, 1) // from the goroutine that sends, its last act
	go func() {
		waiting := false
		for i := 0; i < len(orders); {
			sending, cancel := ctx, context.CancelFunc(func() {})
			if !waiting {
				sending, cancel = context.WithTimeout(ctx, 100*time.Millisecond)
			}
			err := slow.Send(sending, orders[i])
			cancel()
			switch {
			case err == nil:
				i++
			case !waiting && ctx.Err() == nil: // the order was not taken: again, with patience
				waiting = true
				close(stuck)
			default:
				streamed <- err
				return
			}
		}
		streamed <- slow.CloseWrite()
	}()
	select {
	case <-stuck:
	case err := <-streamed:
		t.Fatalf("all sent (%v), want the client to wait for the gateway, which waits for it to read", err)
	}

	// Meanwhile another client does all its business.
	fast := client{number: 2, orders: orders, log: io.Discard}
	book, err := fast.run(ctx, g.ln.Addr().String())
	var report clientReport
	report.add(book, err)
	report.sold = report.bought // its trades with the slow client do not add up
	if p := report.problems(); len(p) > 0 {
		t.Fatalf("fast client: %v", p)
	}

	book = newLedger(orders)
	for m := range slow.Messages() {
		book.record(m)
	}
	if err := <-streamed; err != nil {
		t.Fatal(err)
	}
	book.sent = len(orders)
	report = clientReport{}
	report.add(book, slow.Err())
	report.sold = report.bought
	if p := report.problems(); len(p) > 0 {
		t.Errorf("slow client: %v", p)
	}
	<-handled
	gateway := end()
	if p := gateway.problems(); len(p) > 0 {
		t.Errorf("gateway: %v", p)
	}
}

func TestGatewayRejects(t *testing.T) {
	good := market.Order{ID: 1, Symbol: "CORN", Side: market.Buy, Quantity: 10, Limit: 100}
	for _, tt := range []struct {
		name   string
		change func(*market.Order)
		want   string
	}{
		{"nothing", func(o *market.Order) {}, ""},
		{"id used before", func(o *market.Order) { o.ID = 99 }, "id used before"},
		{"symbol", func(o *market.Order) { o.Symbol = "HOPS" }, `symbol "HOPS" is not traded here`},
		{"no side", func(o *market.Order) { o.Side = 0 }, "neither buy nor sell"},
		{"no quantity", func(o *market.Order) { o.Quantity = 0 }, "quantity 0, want 1 to 20000"},
		{"quantity above the limit", func(o *market.Order) { o.Quantity = 20_001 }, "quantity 20001, want 1 to 20000"},
		{"no price", func(o *market.Order) { o.Limit = 0 }, "no price"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx := testContext(t)
			g, _ := startGateway(t)
			conn, err := qsocket.Dial(ctx, "tcp", g.ln.Addr().String(), market.Protocol, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			first, order := good, good
			first.ID = 99
			tt.change(&order)
			for _, o := range []market.Order{first, order} {
				if err := conn.Send(ctx, o); err != nil {
					t.Fatal(err)
				}
			}
			if m, err := conn.Recv(ctx); err != nil || m != (market.Accepted{OrderID: 99}) {
				t.Fatalf("got %#v, %v; want order 99 accepted", m, err)
			}
			var want market.Message = market.Accepted{OrderID: order.ID}
			if tt.want != "" {
				want = market.Rejected{OrderID: order.ID, Reason: tt.want}
			}
			if m, err := conn.Recv(ctx); err != nil || m != want {
				t.Errorf("got %#v, %v, want %#v", m, err, want)
			}
		})
	}
}

// What no client may send ends the connection, and the client learns why.
func TestGatewayClosesOnOtherMessages(t *testing.T) {
	ctx := testContext(t)
	g, end := startGateway(t)
	address := g.ln.Addr().String()

	conn, err := qsocket.Dial(ctx, "tcp", address, market.Protocol, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Send(ctx, market.Fill{}); err != nil {
		t.Fatal(err)
	}
	m, err := conn.Recv(ctx)
	wantReason(t, m, err, "a client may send orders only, not market.Fill")

	// A client of a later version: what this gateway does not know is not for it, and orders are.
	newer, err := qsocket.Dial(ctx, "tcp", address, next.Protocol, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer newer.Close()
	if err := newer.Send(ctx, next.Halted{Symbol: "RYE"}); err != nil {
		t.Fatal(err)
	}
	if err := newer.Send(ctx, next.Order{ID: 1, Symbol: "RYE", Side: market.Buy, Quantity: 1, Limit: 1}); err != nil {
		t.Fatal(err)
	}
	if n, err := newer.Recv(ctx); n != (next.Accepted{OrderID: 1}) || err != nil {
		t.Errorf("got %#v, %v, want the order accepted", n, err)
	}
	if err := newer.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	for range newer.Messages() {
	}

	report := end()
	if len(report.lost) != 1 || !strings.Contains(report.lost[0], "orders only") {
		t.Errorf("gateway: got %q, want one client lost because of its message", report.lost)
	}
}

// A client that does not heed that the gateway goes away is cut off, and learns why; the
// report has it. What it has sent until then is answered.
func TestGatewayCutsOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := qsockettest.Listen("gateway")
		g, err := newGatewayOn(network, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ran := make(chan gatewayReport, 1)
		go func() { // ends after stop
			report, err := g.run(ctx)
			if err != nil {
				t.Error(err)
			}
			ran <- report
		}()
		client, err := qsocket.Dial(ctx, "tcp", "gateway", market.Protocol, &qsocket.Options{DialContext: network.DialContext})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		client.Messages()
		synctest.Wait()
		began := time.Now()
		stop()
		<-client.GoingAway()
		if err := client.Send(t.Context(), market.Order{ID: 1, Symbol: "RYE", Side: market.Buy, Quantity: 1, Limit: 1}); err != nil {
			t.Fatal(err)
		}
		if m, err := client.Recv(t.Context()); m != (market.Accepted{OrderID: 1}) || err != nil {
			t.Errorf("got %v, %v, want the order accepted", m, err)
		}
		report := <-ran
		if got := time.Since(began); got != drainTimeout {
			t.Errorf("the gateway took %v to end, want %v", got, drainTimeout)
		}
		if len(report.lost) != 1 || !strings.HasSuffix(report.lost[0], ": cut off after 10s") {
			t.Errorf("got %q, want the client cut off", report.lost)
		}
		m, err := client.Recv(t.Context())
		wantReason(t, m, err, "the gateway closes")
	})
}

func wantReason(t *testing.T, m any, err error, want string) {
	t.Helper()
	var remote *qsocket.RemoteError
	if !errors.As(err, &remote) || remote.Reason != want {
		t.Errorf("got %v, %v, want the reason %q", m, err, want)
	}
}

// A client whose gateway gives a reason, or is of another kind, says so.
func TestClientFailures(t *testing.T) {
	other := qsocket.Protocol[market.Message]{Name: "prices/1", Codec: market.Protocol.Codec}
	for _, tt := range []struct {
		name string
		p    qsocket.Protocol[market.Message]
		want string
	}{
		{"reason", market.Protocol, "client 1: the gateway has ended the connection: \"maintenance\""},
		{"other protocol", other, `client 1: the other end is no gateway for orders/1: qsocket: handshake: proto differs: "orders/1" here, "prices/1" at the peer`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx := testContext(t)
			ln, err := qsocket.Listen("tcp", "127.0.0.1:0", tt.p, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			go ln.Serve(ctx, func(ctx context.Context, conn *qsocket.Conn[market.Message]) { // ends with ln
				conn.CloseWithReason("maintenance")
			})
			c := client{number: 1, log: io.Discard}
			if _, err := c.run(ctx, ln.Addr().String()); err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// starting is a net.Listener that closes the first connections, as a proxy whose service is
// only starting.
type starting struct {
	net.Listener
	closed int
}

func (l *starting) Accept() (net.Conn, error) {
	for {
		nc, err := l.Listener.Accept()
		if err != nil || l.closed == 3 {
			return nc, err
		}
		l.closed++
		nc.Close()
	}
}

// A client that comes too early looks for the gateway until it is there.
func TestClientWaitsForGateway(t *testing.T) {
	ctx := testContext(t)
	nl, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln, err := qsocket.NewListener(&starting{Listener: nl}, market.Protocol, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go ln.Serve(ctx, func(ctx context.Context, conn *qsocket.Conn[market.Message]) { // ends with ln
		conn.CloseWithReason("we are here")
	})
	c := client{number: 1, patience: time.Minute, log: io.Discard}
	want := `client 1: the gateway has ended the connection: "we are here"`
	if _, err := c.run(ctx, ln.Addr().String()); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}

	c.patience = 0
	nl, err = net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer nl.Close()
	address := nl.Addr().String()
	go (&starting{Listener: nl, closed: -1 << 30}).Accept() // ends with nl
	var refused *qsocket.HandshakeError
	if _, err := c.run(ctx, address); !errors.As(err, &refused) || refused.Final() {
		t.Errorf("without patience: got %v, want the error of the last handshake", err)
	}
}

// A client and a gateway that is newer: what the client does not know is not for it.
func TestClientOfNewerGateway(t *testing.T) {
	ctx := testContext(t)
	ln, err := qsocket.Listen("tcp", "127.0.0.1:0", next.Protocol, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go ln.Serve(ctx, func(ctx context.Context, conn *qsocket.Conn[next.Message]) { // ends with ln
		for m := range conn.Messages() {
			o := m.(next.Order)
			for _, answer := range []next.Message{
				next.Halted{Symbol: o.Symbol}, next.Accepted{OrderID: o.ID}, next.Cancelled{OrderID: o.ID, Quantity: o.Quantity},
			} {
				if err := conn.Send(ctx, answer); err != nil {
					return
				}
			}
		}
	})
	var log strings.Builder
	c := client{number: 1, log: &log, orders: []market.Order{{ID: 1, Symbol: "RYE", Side: market.Buy, Quantity: 10, Limit: 100}}}
	book, err := c.run(ctx, ln.Addr().String())
	var report clientReport
	report.add(book, err)
	if p := report.problems(); len(p) > 0 || report.once != 1 {
		t.Errorf("got %v and %d orders answered, want no problems and 1", p, report.once)
	}
	if want := "the gateway has another version of orders/1:\n"; !strings.Contains(log.String(), want) {
		t.Errorf("got log %q, want %q", log.String(), want)
	}
}

// The verification is worth something only if it finds what is wrong.
func TestClientsFindWrongGateways(t *testing.T) {
	accepted := func(o *market.Order) market.Message { return market.Accepted{OrderID: o.ID} }
	cancelled := func(o *market.Order) market.Message {
		return market.Cancelled{OrderID: o.ID, Quantity: o.Quantity}
	}
	fill := func(o *market.Order, price market.Cents) market.Message {
		return market.Fill{OrderID: o.ID, Side: o.Side, Quantity: o.Quantity, Price: price}
	}
	for _, tt := range []struct {
		name   string
		answer func(o *market.Order) []market.Message
		want   string
	}{
		{"right", func(o *market.Order) []market.Message { return []market.Message{accepted(o), cancelled(o)} }, ""},
		{"no answer", func(o *market.Order) []market.Message { return nil }, "3 orders without an answer, 0 with more than one"},
		{"two answers", func(o *market.Order) []market.Message {
			return []market.Message{accepted(o), accepted(o), cancelled(o)}
		}, "0 orders without an answer, 3 with more than one"},
		{"never settled", func(o *market.Order) []market.Message { return []market.Message{accepted(o)} },
			"3 orders whose fills and cancellation are not their quantity"},
		{"fill before answer", func(o *market.Order) []market.Message {
			return []market.Message{fill(o, o.Limit), accepted(o)}
		}, "3 unexpected messages, first: Fill for order 1, which does not fit"},
		{"price worse than the limit", func(o *market.Order) []market.Message {
			return []market.Message{accepted(o), fill(o, o.Limit+1)}
		}, "3 unexpected messages, first: Fill for order 1, which does not fit"},
		{"one side of the trades", func(o *market.Order) []market.Message {
			return []market.Message{accepted(o), fill(o, o.Limit)}
		}, "bought 30, sold 0"},
		{"order of others", func(o *market.Order) []market.Message {
			return []market.Message{accepted(o), cancelled(o), accepted(&market.Order{ID: 77})}
		}, "3 unexpected messages, first: Accepted for order 77, which is not ours"},
		{"an order", func(o *market.Order) []market.Message {
			return []market.Message{accepted(o), cancelled(o), *o}
		}, "3 unexpected messages, first: an order from the gateway"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx := testContext(t)
			ln, err := qsocket.Listen("tcp", "127.0.0.1:0", market.Protocol, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			go ln.Serve(ctx, func(ctx context.Context, conn *qsocket.Conn[market.Message]) { // ends with ln
				for m := range conn.Messages() {
					o := m.(market.Order)
					for _, answer := range tt.answer(&o) {
						if err := conn.Send(ctx, answer); err != nil {
							return
						}
					}
				}
			})
			var file orderFile
			for i := range clients {
				// The same id is another order on another connection.
				file.orders[i] = []market.Order{{ID: 1, Symbol: "RYE", Side: market.Buy, Quantity: 10, Limit: 100}}
			}
			report := runClients(ctx, ln.Addr().String(), &file, 0, 0, io.Discard)
			got := strings.Join(report.problems(), "; ")
			if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("got problems %q, want %q", got, tt.want)
			}
			if ok := (&summary{clients: report}).print(io.Discard); ok != (tt.want == "") {
				t.Errorf("summary: got ok %v, want %v", ok, tt.want == "")
			}
		})
	}
}

// Of the prices that wait for a client only the newest of each symbol is sent.
func TestSessionKeepsNewestPrice(t *testing.T) {
	price := func(symbol string, last market.Cents) market.Message {
		return market.Price{Symbol: symbol, Last: last}
	}
	s := newSession(nil)
	s.put(price("RYE", 1))
	s.put(market.Accepted{OrderID: 5})
	s.put(price("CORN", 2))
	s.put(price("RYE", 3))
	want := []market.Message{price("RYE", 3), market.Accepted{OrderID: 5}, price("CORN", 2)}
	if diff := cmp.Diff(want, s.take()); diff != "" {
		t.Errorf("first batch (-want +got):\n%s", diff)
	}
	s.put(price("RYE", 4))
	if diff := cmp.Diff([]market.Message{price("RYE", 4)}, s.take()); diff != "" {
		t.Errorf("second batch (-want +got):\n%s", diff)
	}
}
