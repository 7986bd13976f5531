package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/examples/orders/market"
)

// drainTimeout bounds the time from the wish to end to the end, for a gateway
// and for a client.
const drainTimeout = 10 * time.Second

// gateway serves clients and matches their orders. Its goroutines:
//
//   - Serve, started by run, ends after Drain, when the last handler has returned;
//   - match owns the market; it ends when events is closed, which run does after that;
//   - handle, one per client, started by Serve, reads the client's orders; it
//     ends when the client's stream has ended and everything is sent to it;
//   - session.write, one per client, sends; it ends when match has ended the
//     session, or at the first failure, and handle waits for it.
type gateway struct {
	ln     *qsocket.Listener[market.Message]
	events chan event // to match
	log    io.Writer

	// owned by match; run reads the report after match has ended
	books    map[string]*book
	sessions map[*session]bool // which get prices
	report   gatewayReport
}

// gatewayReport is what a gateway says about itself at its end.
type gatewayReport struct {
	clients        int
	received, sent counts
	matched        int64     // quantity traded
	lost           []string  // clients that did not get all that was meant for them
	first, last    time.Time // a client came, a client went
}

func newGateway(address string, log io.Writer) (*gateway, error) {
	nl, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	return newGatewayOn(nl, log)
}

func newGatewayOn(nl net.Listener, log io.Writer) (*gateway, error) {
	ln, err := qsocket.NewListener(nl, market.Protocol, &qsocket.Options{
		WriteTimeout: drainTimeout, // a client that reads nothing for so long is gone
	})
	if err != nil {
		return nil, err
	}
	g := &gateway{
		ln:       ln,
		events:   make(chan event, 256),
		log:      log,
		books:    make(map[string]*book),
		sessions: make(map[*session]bool),
	}
	for _, symbol := range listed {
		g.books[symbol] = newBook()
	}
	fmt.Fprintf(log, "gateway listens on %v\n", ln.Addr())
	return g, nil
}

// run serves until ctx ends and then drains: the clients learn that the gateway goes away,
// send no more orders, and what they have sent is answered. Who has not ended after
// drainTimeout is cut off.
func (g *gateway) run(ctx context.Context) (gatewayReport, error) {
	matched := make(chan struct{})
	go func() {
		defer close(matched)
		g.match()
	}()
	served := make(chan error, 1)
	go func() { served <- g.ln.Serve(context.WithoutCancel(ctx), g.handle) }()
	select {
	case err := <-served:
		// The listener has failed for good, so the program ends, and with it
		// the clients that are still served.
		return gatewayReport{}, err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	drainErr := g.ln.Drain(ending, "the gateway closes")
	if errors.Is(drainErr, context.DeadlineExceeded) {
		drainErr = nil // the report has the clients that were cut off
	}
	if err := cmp.Or(<-served, drainErr); err != nil {
		return gatewayReport{}, err
	}
	close(g.events) // Serve has waited for the handlers
	<-matched
	return g.report, nil
}

// handle serves one client. Serve closes conn when it returns.
func (g *gateway) handle(ctx context.Context, conn *qsocket.Conn[market.Message]) {
	if d := conn.Peer().Differences; d != "" {
		fmt.Fprintf(g.log, "client %v has another version of %s:\n%s", conn.RemoteAddr(), market.Protocol.Name, d)
	}
	s := newSession(conn)
	written := make(chan struct{})
	var writeErr error
	go func() {
		defer close(written)
		if writeErr = s.write(ctx); writeErr != nil {
			conn.Close() // no answers, so no more orders: ends the range below
		}
	}()

	var oddErr error
	g.events <- event{what: joined, session: s}
	for m := range conn.Messages() {
		order, ok := m.(market.Order)
		if !ok {
			oddErr = fmt.Errorf("a client may send orders only, not %T", m)
			conn.CloseWithReason(oddErr.Error())
			break
		}
		s.received.add(m)
		s.waitForRoom()
		g.events <- event{what: ordered, session: s, order: &order}
	}
	g.events <- event{what: left, session: s}
	<-written

	if ctx.Err() != nil { // the end of Drain's patience, which closes conn with a reason
		s.err = fmt.Errorf("cut off after %v", drainTimeout)
	} else { // nil means that the client confirmed that it took everything
		shutdownErr := conn.Shutdown(ctx)
		s.err = cmp.Or(oddErr, writeErr, conn.Err(), shutdownErr)
	}
	g.events <- event{what: gone, session: s}
}
