package operations

import (
	"context"

	"github.com/fb9bb4ed/qsocket"
)

// check is a deeper health check: a client whose question only a service that works can answer.
func check(ctx context.Context, network, address string, opts *qsocket.Options) error {
	conn, err := qsocket.Dial(ctx, network, address, Protocol, opts)
	if err != nil {
		return err // nothing listens, or it is full, or has another version of the protocol
	}
	defer conn.Close()
	if _, err := newCaller(conn).call(ctx, "health"); err != nil {
		return err
	}
	return conn.Shutdown(ctx)
}
