package netconns

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// wrapped is what middleware that counts or logs looks like.
type wrapped struct{ net.Conn }

// BenchmarkAnswer is the time of a round trip of 100 bytes over different net.Conns, both ends in one process:
// by hand, with a Write for each frame, and with a Conn that receives by Recv and by Messages.
func BenchmarkAnswer(b *testing.B) {
	for _, transport := range []string{"tcp", "unix", "tls", "wrapped"} {
		b.Run(transport+"/raw", func(b *testing.B) {
			client, server := pairOver(b, transport)
			go answerByHand(server)
			message, in := make([]byte, 104), bufio.NewReader(client)
			binary.BigEndian.PutUint32(message, 100)
			reply := make([]byte, 104)
			for b.Loop() {
				if _, err := client.Write(message); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(in, reply); err != nil {
					b.Fatal(err)
				}
			}
		})
		for _, mode := range []string{"pull", "channel"} {
			b.Run(transport+"/"+mode, func(b *testing.B) {
				na, nb := pairOver(b, transport)
				client, server := testkit.WrapPair(b, na, nb, testkit.Raw, nil, nil)
				recvClient, recvServer := receiver(client, mode), receiver(server, mode)
				ctx := context.Background()
				go func() { // ends with the connection
					for {
						m, err := recvServer()
						if err != nil || server.Send(ctx, m) != nil {
							return
						}
					}
				}()
				message := make([]byte, 100)
				b.ReportAllocs()
				for b.Loop() {
					if err := client.Send(ctx, message); err != nil {
						b.Fatal(err)
					}
					if _, err := recvClient(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// receiver returns the way to receive of that name.
func receiver(c *qsocket.Conn[[]byte], mode string) func() ([]byte, error) {
	if mode == "pull" {
		return func() ([]byte, error) { return c.Recv(context.Background()) }
	}
	messages := c.Messages()
	return func() ([]byte, error) {
		m, ok := <-messages
		if !ok {
			return nil, io.EOF
		}
		return m, nil
	}
}

// answerByHand sends each frame back, and ends with the connection.
func answerByHand(nc net.Conn) {
	in, frame := bufio.NewReader(nc), make([]byte, 104)
	for {
		if _, err := io.ReadFull(in, frame); err != nil {
			return
		}
		if _, err := nc.Write(frame); err != nil {
			return
		}
	}
}
