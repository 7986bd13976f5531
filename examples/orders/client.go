package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/examples/orders/market"
)

// client streams orders to a gateway and keeps the books on what comes back.
// Its goroutines:
//
//   - run receives, until the gateway has ended its stream. It never waits for
//     the sending: a client that wrote without reading would, once all buffers
//     between the two are full, wait for a gateway that waits for it;
//   - stream sends; it ends once the orders are sent and the gateway's stream
//     has ended, and run waits for it;
//   - one that ends the streaming when the gateway goes away, and with it.
type client struct {
	number   int // from 1
	orders   []market.Order
	rate     int           // orders per second, 0 for no limit
	patience time.Duration // with a gateway that is not there
	log      io.Writer
}

// run trades until the gateway has answered everything. When ctx ends, or the
// gateway goes away, it sends no more orders but waits for what is due.
// The error says how the connection failed, if it did; the ledger is good for
// what happened until then.
func (c *client) run(ctx context.Context, address string) (*ledger, error) {
	book := newLedger(c.orders)
	if ctx.Err() != nil {
		return book, nil // interrupted before there was anything to do
	}
	conn, err := c.connect(ctx, address)
	if err != nil {
		return book, c.failure(err)
	}
	if d := conn.Peer().Differences; d != "" {
		fmt.Fprintf(c.log, "client %d: the gateway has another version of %s:\n%s", c.number, market.Protocol.Name, d)
	}

	streaming, stop := context.WithCancel(ctx)
	defer stop()
	var streamErr error
	streamed := make(chan struct{})
	go func() {
		defer close(streamed)
		book.sent, streamErr = c.stream(streaming, conn)
	}()
	go func() {
		select {
		case <-conn.GoingAway():
			stop()
		case <-streaming.Done():
		}
	}()

	first := true
	for m := range conn.Messages() {
		book.record(m)
		if first {
			first = false
			fmt.Fprintf(c.log, "client %d trades with %v\n", c.number, conn.RemoteAddr())
		}
	}
	stop()
	<-streamed

	// Both streams have ended, or the connection has failed: nothing is left
	// to wait for but the gateway's word that it took every order. Err has the
	// cause if the connection has failed, or the gateway's reason.
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	shutdownErr := conn.Shutdown(ending)
	for _, err := range []error{conn.Err(), streamErr, shutdownErr} {
		if err != nil {
			return book, c.failure(err)
		}
	}
	return book, nil
}

// connect dials until it finds a gateway. One that restarts, a proxy that has none, and one
// that is full end a handshake as well; that passes. It gives up where dialing again will not
// help, after c.patience, and when ctx ends.
func (c *client) connect(ctx context.Context, address string) (*qsocket.Conn[market.Message], error) {
	const shortest, longest = 50 * time.Millisecond, 2 * time.Second
	patience := time.After(c.patience)
	for wait := shortest; ; wait = min(2*wait, longest) {
		// Not under ctx: a gateway that has accepted the handshake would see a
		// client that gives up just then as one that has crashed.
		dialing, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		conn, err := qsocket.Dial(dialing, "tcp", address, market.Protocol, nil)
		cancel()
		var refused *qsocket.HandshakeError
		if err == nil || errors.As(err, &refused) && refused.Final() {
			return conn, err
		}
		select {
		case <-time.After(rand.N(wait)): // by chance: all clients of a gateway that restarts come at the same time
		case <-patience:
			return nil, err
		case <-ctx.Done():
			return nil, err
		}
	}
}

// failure says what err means to the user of a client.
func (c *client) failure(err error) error {
	var refusal *qsocket.HandshakeError
	var remote *qsocket.RemoteError
	switch {
	case errors.As(err, &refusal) && refusal.Final():
		return fmt.Errorf("client %d: the other end is no gateway for %s: %w", c.number, market.Protocol.Name, err)
	case errors.As(err, &remote):
		return fmt.Errorf("client %d: the gateway has ended the connection: %q", c.number, remote.Reason)
	}
	return fmt.Errorf("client %d: %w", c.number, err)
}

// stream sends the orders until ctx ends, half-closes, and ensures that the
// gateway ends in time. It returns how many orders Send took.
func (c *client) stream(ctx context.Context, conn *qsocket.Conn[market.Message]) (sent int, err error) {
	var tick <-chan time.Time
	if c.rate > 0 {
		ticker := time.NewTicker(max(1, time.Second/time.Duration(c.rate)))
		defer ticker.Stop()
		tick = ticker.C
	}
	for ; sent < len(c.orders) && ctx.Err() == nil; sent++ {
		if err := conn.Send(ctx, c.orders[sent]); err != nil {
			if ctx.Err() == nil {
				return sent, err
			}
			break // an order that Send did not take is not sent in part either
		}
		if tick != nil {
			select {
			case <-tick:
			case <-ctx.Done():
			}
		}
	}

	// The gateway's range over Messages ends here, and it goes on answering.
	if err := conn.CloseWrite(); err != nil {
		return sent, err
	}
	select {
	case <-conn.Done():
		return sent, nil
	case <-time.After(drainTimeout):
		conn.Close()
		return sent, fmt.Errorf("gateway has not ended %v after the last order", drainTimeout)
	}
}
