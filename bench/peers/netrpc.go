package peers

import (
	"context"
	"errors"
	"net"
	"net/rpc"
	"sync"
)

// netrpcContestants returns net/rpc, where every message is a call whose answer
// is the same message.
func netrpcContestants() []Contestant {
	return []Contestant{{
		Name: "net/rpc", Codec: "gob", Calls: true, Background: true,
		Note:   "request/response: the client calls, the server only answers; answers may overtake one another",
		Listen: listenNetRPC,
		Dial:   dialNetRPC,
	}}
}

// netrpcInFlight bounds the calls that one client has under way, since net/rpc
// drops an answer for which the channel has no room.
const netrpcInFlight = 1024

// NetRPCEcho is the service of the net/rpc server, which wants an exported type.
type NetRPCEcho struct{}

// Order answers with the order.
func (NetRPCEcho) Order(in, out *Order) error {
	*out = *in
	return nil
}

// Blob answers with the blob.
func (NetRPCEcho) Blob(in, out *Blob) error {
	*out = *in
	return nil
}

type netrpcServer struct {
	ln net.Listener

	mu     sync.Mutex // guards following
	conns  []net.Conn
	closed bool
}

func listenNetRPC(Message) (Server, error) {
	rpcs := rpc.NewServer()
	if err := rpcs.RegisterName("Echo", NetRPCEcho{}); err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &netrpcServer{ln: ln}
	go s.serve(rpcs) // returns when the listener is closed
	return s, nil
}

func (s *netrpcServer) serve(rpcs *rpc.Server) {
	for {
		nc, err := s.ln.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.closed {
			nc.Close()
		}
		s.conns = append(s.conns, nc)
		s.mu.Unlock()
		go rpcs.ServeConn(nc) // returns when the connection ends
	}
}

func (s *netrpcServer) Addr() string         { return s.ln.Addr().String() }
func (s *netrpcServer) Accept() (End, error) { return nil, errors.ErrUnsupported }

func (s *netrpcServer) Close() error {
	err := s.ln.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, nc := range s.conns {
		closeHard(nc) // fails only on what is closed already
	}
	s.conns, s.closed = nil, true
	return err
}

type netrpcEnd struct {
	m        Message
	nc       net.Conn
	client   *rpc.Client
	answers  chan *rpc.Call
	inFlight chan struct{} // one value for each call; as large as answers
	blob     Blob          // empty: orders
	closed   chan struct{}
	close    func() error // once
}

func dialNetRPC(ctx context.Context, addr string, m Message) (End, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	e := &netrpcEnd{
		nc: nc, client: rpc.NewClient(nc), m: m, blob: m.blob(),
		answers: make(chan *rpc.Call, netrpcInFlight), inFlight: make(chan struct{}, netrpcInFlight),
		closed: make(chan struct{}),
	}
	e.close = sync.OnceValue(func() error {
		close(e.closed)
		closeHard(nc) // fails only on what is closed already
		if err := e.client.Close(); !errors.Is(err, rpc.ErrShutdown) && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	return e, nil
}

// Send calls the server. Arguments are the library's until the answer is
// there, so each call has its own.
func (e *netrpcEnd) Send(stamp int64) error {
	select {
	case e.inFlight <- struct{}{}:
	case <-e.closed:
		return net.ErrClosed
	}
	if len(e.blob.Data) > 0 {
		e.client.Go("Echo.Blob", &Blob{TS: stamp, Data: e.blob.Data}, new(Blob), e.answers)
		return nil
	}
	order := e.m.order(stamp)
	e.client.Go("Echo.Order", &order, new(Order), e.answers)
	return nil
}

func (e *netrpcEnd) Flush() error { return nil }

func (e *netrpcEnd) Recv() (int64, error) {
	var call *rpc.Call
	select {
	case call = <-e.answers:
		<-e.inFlight
	case <-e.closed:
		return 0, net.ErrClosed
	}
	switch reply := call.Reply.(type) {
	case *Blob:
		return reply.TS, call.Error
	case *Order:
		return reply.TS, call.Error
	}
	return 0, call.Error
}

func (e *netrpcEnd) Pending() bool { return len(e.answers) > 0 }
func (e *netrpcEnd) Close() error  { return e.close() }
