package market_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/examples/orders/market"
)

// What a receiver does with a sum type.
func Example_receive() {
	client, gateway, err := qsocket.Pipe(market.Protocol, nil)
	if err != nil {
		log.Fatal(err)
	}
	go func() { // ends with its CloseWithReason
		ctx := context.Background()
		gateway.Send(ctx, market.Accepted{OrderID: 7})
		gateway.Send(ctx, market.Fill{OrderID: 7, Side: market.Buy, Quantity: 10, Price: 20_050})
		gateway.CloseWithReason("maintenance")
	}()

	for m := range client.Messages() {
		switch m := m.(type) {
		case market.Accepted:
			fmt.Println("accepted:", m.OrderID)
		case market.Fill:
			fmt.Println("filled:", m.OrderID, m.Quantity, "at", m.Price)
		}
	}
	fmt.Println(ending(client.Err()))
	client.Close()
	// Output:
	// accepted: 7
	// filled: 7 10 at 200.50
	// closed by the peer: maintenance
}

// ending says how a connection has ended, given the error of Dial or Conn.Err.
func ending(err error) string {
	var refused *qsocket.HandshakeError
	var remote *qsocket.RemoteError
	switch {
	case err == nil:
		return "well"
	case errors.As(err, &remote): // the peer has told why
		return "closed by the peer: " + remote.Reason
	case errors.As(err, &refused) && refused.Final(): // to dial again will not help
		return "another " + refused.Field + ": " + err.Error()
	case errors.Is(err, qsocket.ErrPeerDead): // the machine, or the network, is gone
		return "no sign of life"
	}
	return err.Error() // a reset, a torn frame, a bad message
}

// Limits that fit the protocol, on both ends.
func Example_limits() {
	opts := &qsocket.Options{
		MaxFrame:   16 << 10,        // no order comes near it
		SendBuffer: 64 << 10,        // for each connection; beyond it Send waits
		Heartbeat:  2 * time.Second, // a peer that is gone is noticed after 4 s
		MaxConns:   1000,            // with the others and RecvQueue that bounds memory
		// and, if strangers can connect, MaxHandshakes: a silent one takes a place
	}
	ln, err := qsocket.Listen("tcp", "127.0.0.1:0", market.Protocol, opts)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ln.Close())
	// Output: <nil>
}

// A client that is not to hold up the others.
func Example_slowConsumer() {
	fast, gateway1, err := qsocket.Pipe(market.Protocol, nil)
	if err != nil {
		log.Fatal(err)
	}
	slow, gateway2, err := qsocket.Pipe(market.Protocol, &qsocket.Options{SendBuffer: 1})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	prices := qsocket.NewGroup(market.Protocol, qsocket.Disconnect)
	prices.Add(gateway1)
	prices.Add(gateway2)
	for last := range market.Cents(100) {
		if _, err := prices.Broadcast(ctx, market.Price{Symbol: "RYE", Last: last}); err != nil {
			log.Fatal(err)
		}
	}
	<-gateway2.Done() // slow has read nothing
	fmt.Println(errors.Is(gateway2.Err(), qsocket.ErrSlowConsumer), prices.Len())

	for range 100 {
		if _, err := fast.Recv(ctx); err != nil {
			log.Fatal(err)
		}
	}
	for _, c := range []*qsocket.Conn[market.Message]{fast, gateway1, slow} {
		c.Close()
	}
	// Output: true 1
}

// A Send that gives up if the peer does not read for a second.
func Example_sendInTime() {
	client, gateway, err := qsocket.Pipe(market.Protocol, nil)
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err = client.Send(ctx, market.Order{ID: 1, Symbol: "RYE", Side: market.Buy, Quantity: 10, Limit: 20_000})
	switch {
	case err == nil: // accepted: it goes out without further calls
	case errors.Is(err, context.DeadlineExceeded): // no room all that time; nothing of it was sent
	case errors.Is(err, net.ErrClosed): // the connection has ended
	default: // only this message: too large, or it cannot be encoded
	}
	fmt.Println(err)
	gateway.Close()
	client.Close()
	// Output: <nil>
}

// An end that wants to know that its messages were taken.
func Example_shutdown() {
	client, gateway, err := qsocket.Pipe(market.Protocol, nil)
	if err != nil {
		log.Fatal(err)
	}
	go func() { // ends with client
		for range gateway.Messages() {
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := client.Send(ctx, market.Order{ID: 1}); err != nil {
		log.Fatal(err)
	}
	err = client.Shutdown(ctx)
	switch {
	case err == nil: // the peer's reader has taken every message
	case errors.Is(err, qsocket.ErrUnconfirmed): // it ended without saying so
	default: // ctx has ended first
	}
	fmt.Println(err)
	gateway.Close()
	// Output: <nil>
}
