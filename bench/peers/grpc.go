package peers

import (
	"context"
	"errors"
	"net"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
)

// grpcContestants returns a bidirectional stream of grpc-go, one on each
// connection. Windows and buffers are the defaults, which adapt by themselves.
func grpcContestants() []Contestant {
	var all []Contestant
	for _, over := range encrypted {
		all = append(all, Contestant{
			Name: "grpc-go stream", Codec: "msgpack", Over: over, Background: true,
			Listen: func(m Message) (Server, error) { return listenGRPC(over, m) },
			Dial:   func(ctx context.Context, addr string, m Message) (End, error) { return dialGRPC(ctx, over, addr, m) },
		})
	}
	return all
}

// grpcCredentials has gRPC do TLS by itself, as its documentation shows.
func grpcCredentials(over Transport) (credentials.TransportCredentials, error) {
	if over != TLS {
		return insecure.NewCredentials(), nil
	}
	config, err := tlsConfig()
	return credentials.NewTLS(config), err
}

// grpcCodec passes the payloads of envelopes.
type grpcCodec struct{}

func (grpcCodec) Name() string { return "msgpack" }

// Marshal takes buffers from gRPC's pool where gRPC would: small ones are
// cheaper to allocate.
func (grpcCodec) Marshal(v any) (mem.BufferSlice, error) {
	m := v.(*envelope)
	if mem.IsBelowBufferPoolingThreshold(m.size) {
		payload, err := m.marshalAppend(make([]byte, 0, m.size))
		return mem.BufferSlice{mem.SliceBuffer(payload)}, err
	}
	pool := mem.DefaultBufferPool()
	buf := pool.Get(m.size)
	payload, err := m.marshalAppend((*buf)[:0])
	if err != nil {
		pool.Put(buf)
		return nil, err
	}
	*buf = payload
	return mem.BufferSlice{mem.NewBuffer(buf, pool)}, nil
}

func (grpcCodec) Unmarshal(data mem.BufferSlice, v any) error {
	buf := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer buf.Free()
	return v.(*envelope).unmarshal(buf.ReadOnlyData())
}

// What protoc would have generated.
const grpcMethod = "/bench.Peers/Stream"

var grpcStream = grpc.StreamDesc{StreamName: "Stream", ServerStreams: true, ClientStreams: true}

type grpcServer struct {
	*backlog
	ln     net.Listener
	server *grpc.Server
	m      Message
}

func listenGRPC(over Transport, m Message) (Server, error) {
	creds, err := grpcCredentials(over)
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &grpcServer{backlog: newBacklog(), ln: ln, m: m}
	s.server = grpc.NewServer(grpc.Creds(creds), grpc.ForceServerCodecV2(grpcCodec{}))
	stream := grpcStream
	stream.Handler = func(_ any, stream grpc.ServerStream) error { return s.handle(stream) }
	s.server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "bench.Peers", HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{stream},
	}, s)
	go s.server.Serve(ln) // returns when the server is stopped
	return s, nil
}

// handle keeps the stream open until either side ends it.
func (s *grpcServer) handle(stream grpc.ServerStream) error {
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	end, err := newGRPCEnd(stream, s.m, func() error { cancel(); return nil })
	if err != nil {
		return err
	}
	s.put(end)
	<-ctx.Done()
	return nil
}

func (s *grpcServer) Addr() string { return s.ln.Addr().String() }

func (s *grpcServer) Close() error {
	err := s.closeAll()
	s.server.Stop()
	return err
}

// Group encodes a message once for all streams.
func (s *grpcServer) Group(ends []End) (Sender, error) {
	if len(ends) == 0 {
		return nil, errors.New("group of no ends")
	}
	out, err := newEnvelope(s.m)
	return &grpcGroup{ends: ends, out: out}, err
}

type grpcGroup struct {
	ends []End
	out  envelope
}

func (g *grpcGroup) Send(stamp int64) error {
	g.out.stamp = stamp
	msg := new(grpc.PreparedMsg)
	stream := g.ends[0].(*grpcEnd).stream.(grpc.ServerStream) // any will do: all have the same codec
	if err := msg.Encode(stream, &g.out); err != nil {
		return err
	}
	for _, end := range g.ends {
		if err := end.(*grpcEnd).sendMsg(msg); err != nil {
			return err
		}
	}
	return nil
}

func (g *grpcGroup) Flush() error { return nil }

// messageStream is what the streams of both sides have in common.
type messageStream interface {
	SendMsg(m any) error
	RecvMsg(m any) error
}

type grpcEnd struct {
	stream messageStream
	hangUp func() error
	in     envelope // owned by Recv

	out envelope // immutable, but that its codec is the sender's

	mu sync.Mutex // guards sending: a stream has one sender at a time
}

func newGRPCEnd(stream messageStream, m Message, hangUp func() error) (*grpcEnd, error) {
	out, err := newEnvelope(m)
	return &grpcEnd{stream: stream, hangUp: hangUp, in: out, out: out}, err
}

func dialGRPC(ctx context.Context, over Transport, addr string, m Message) (End, error) {
	creds, err := grpcCredentials(over)
	if err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient("passthrough:///"+addr,
		grpc.WithTransportCredentials(creds),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(grpcCodec{})),
	)
	if err != nil {
		return nil, err
	}
	streamCtx, cancel := context.WithCancel(context.Background())
	hangUp := sync.OnceValue(func() error { cancel(); return conn.Close() })
	stop := context.AfterFunc(ctx, cancel) // ctx bounds the dialing, not the stream
	stream, err := conn.NewStream(streamCtx, &grpcStream, grpcMethod)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		hangUp()
		return nil, err
	}
	return newGRPCEnd(stream, m, hangUp)
}

// Send gives each envelope to the library for good, as its documentation asks.
func (e *grpcEnd) Send(stamp int64) error {
	out := e.out
	out.stamp = stamp
	return e.sendMsg(&out)
}

func (e *grpcEnd) sendMsg(msg any) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.stream.SendMsg(msg)
}

func (e *grpcEnd) Flush() error { return nil }

func (e *grpcEnd) Recv() (int64, error) {
	err := e.stream.RecvMsg(&e.in)
	return e.in.stamp, err
}

func (e *grpcEnd) Pending() bool { return false }
func (e *grpcEnd) Close() error  { return e.hangUp() }
