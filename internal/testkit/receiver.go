package testkit

import (
	"context"
	"io"

	"github.com/fb9bb4ed/qsocket"
)

// Receiver is one of the ways to receive.
type Receiver struct {
	Name string
	Recv func(c *qsocket.Conn[string], ctx context.Context) (string, error)
}

// Receivers are both ways. The one by channel reports the end as Recv does.
var Receivers = []Receiver{
	{"pull", (*qsocket.Conn[string]).Recv},
	{"channel", func(c *qsocket.Conn[string], ctx context.Context) (string, error) {
		select {
		case m, ok := <-c.Messages():
			if ok {
				return m, nil
			}
			if err := c.Err(); err != nil {
				return "", err
			}
			return "", io.EOF
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}},
}
