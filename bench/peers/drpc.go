package peers

import (
	"context"
	"net"
	"sync"

	"storj.io/drpc"
	"storj.io/drpc/drpcconn"
	"storj.io/drpc/drpcmanager"
	"storj.io/drpc/drpcserver"
	"storj.io/drpc/drpcstream"
)

// drpcContestants returns a bidirectional stream of storj.io/drpc, one on each
// connection: as it is, where each message is flushed, and with its manual flush.
func drpcContestants() []Contestant {
	plain := drpcOverTCP(Contestant{Name: "drpc stream", Codec: "msgpack", Background: true}, drpcmanager.Options{})
	batched := drpcOverTCP(Contestant{
		Name: "drpc stream, batched", Codec: "msgpack", Background: true,
		Note: "the program flushes when it knows that nothing follows; so does the library before it receives",
	}, drpcmanager.Options{WriterBufferSize: bufferSize, Stream: drpcstream.Options{ManualFlush: true}})
	return []Contestant{plain, batched}
}

// drpcEncoding passes the payloads of envelopes.
type drpcEncoding struct{}

func (drpcEncoding) Marshal(msg drpc.Message) ([]byte, error) {
	return msg.(*envelope).marshalAppend(nil)
}

// MarshalAppend is preferred by the library to Marshal.
func (drpcEncoding) MarshalAppend(buf []byte, msg drpc.Message) ([]byte, error) {
	return msg.(*envelope).marshalAppend(buf)
}

func (drpcEncoding) Unmarshal(buf []byte, msg drpc.Message) error {
	return msg.(*envelope).unmarshal(buf)
}

func drpcOverTCP(c Contestant, opts drpcmanager.Options) Contestant {
	c = onStream(c, func(nc net.Conn, m Message) (End, error) { return serveDRPC(nc, m, opts) })
	c.Dial = func(ctx context.Context, addr string, m Message) (End, error) {
		var d net.Dialer
		nc, err := d.DialContext(ctx, "tcp", addr)
		if err != nil {
			return nil, err
		}
		conn := drpcconn.NewWithOptions(nc, drpcconn.Options{Manager: opts})
		stream, err := conn.NewStream(context.Background(), "/bench/stream", drpcEncoding{})
		if err != nil {
			conn.Close()
			return nil, err
		}
		end := newDRPCEnd(stream, m, opts, func() error {
			closeHard(nc) // fails only on what is closed already
			conn.Close()  // always has the error of the line above
			return nil
		})
		// The server learns of the stream now, not with the first message.
		return end, end.flusher.RawFlush()
	}
	return c
}

// drpcHandler hands over the stream that the client opens, and keeps it open
// until the connection ends.
type drpcHandler chan drpc.Stream

func (h drpcHandler) HandleRPC(stream drpc.Stream, _ string) error {
	h <- stream
	<-stream.Context().Done()
	return nil
}

func serveDRPC(nc net.Conn, m Message, opts drpcmanager.Options) (End, error) {
	opened := make(drpcHandler, 1)
	server := drpcserver.NewWithOptions(opened, drpcserver.Options{Manager: opts})
	gone := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { gone <- server.ServeOne(ctx, nc) }() // until ctx or the connection ends
	select {
	case stream := <-opened:
		return newDRPCEnd(stream, m, opts, func() error {
			closeHard(nc) // fails only on what is closed already
			cancel()      // the library does not see that while a message waits for Recv
			return nil
		}), nil
	case err := <-gone:
		cancel()
		return nil, err
	}
}

type drpcEnd struct {
	stream  drpc.Stream
	flusher interface{ RawFlush() error } // the stream, too
	batched bool
	hangUp  func() error
	in      envelope // owned by Recv

	mu  sync.Mutex // guards out
	out envelope
}

func newDRPCEnd(stream drpc.Stream, m Message, opts drpcmanager.Options, hangUp func() error) *drpcEnd {
	codec := newMsgpackCodec(m)
	return &drpcEnd{
		stream: stream, flusher: stream.(interface{ RawFlush() error }),
		batched: opts.Stream.ManualFlush, hangUp: hangUp,
		in: envelope{codec: codec}, out: envelope{codec: codec},
	}
}

func (e *drpcEnd) Send(stamp int64) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.out.stamp = stamp
	return e.stream.MsgSend(&e.out, drpcEncoding{})
}

func (e *drpcEnd) Flush() error {
	if !e.batched {
		return nil
	}
	return e.flusher.RawFlush()
}

func (e *drpcEnd) Recv() (int64, error) {
	err := e.stream.MsgRecv(&e.in, drpcEncoding{})
	return e.in.stamp, err
}

func (e *drpcEnd) Pending() bool { return false } // the library does not tell
func (e *drpcEnd) Close() error  { return e.hangUp() }
