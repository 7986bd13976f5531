package peers

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"sync"

	"github.com/go-zeromq/zmq4"
)

// zmqContestants returns github.com/go-zeromq/zmq4, ZeroMQ in Go, with a pair
// of PAIR sockets for each connection.
func zmqContestants() []Contestant {
	return []Contestant{{
		Name: "zmq4 (Go)", Codec: "msgpack", Background: true, Files: 2,
		Note:   "messages sent after the peer is gone are dropped without an error",
		Listen: listenZMQ,
		Dial:   dialZMQ,
	}}
}

// zmqQuiet keeps the library from logging connections that end hard.
var zmqQuiet = zmq4.WithLogger(log.New(io.Discard, "", 0))

// zmqServer answers each request with the address of a new PAIR socket.
type zmqServer struct {
	*backlog
	m    Message
	rep  zmq4.Socket
	stop context.CancelFunc
}

func listenZMQ(m Message) (Server, error) {
	ctx, stop := context.WithCancel(context.Background())
	s := &zmqServer{backlog: newBacklog(), m: m, rep: zmq4.NewRep(ctx, zmqQuiet), stop: stop}
	if err := s.rep.Listen("tcp://127.0.0.1:0"); err != nil {
		stop()
		return nil, err
	}
	go s.serve(ctx) // returns when the server is closed
	return s, nil
}

func (s *zmqServer) serve(ctx context.Context) {
	for ctx.Err() == nil {
		if _, err := s.rep.Recv(); err != nil {
			continue
		}
		pair := zmq4.NewPair(context.Background(), zmqQuiet)
		if err := pair.Listen("tcp://127.0.0.1:0"); err != nil {
			s.rep.Send(zmq4.NewMsgString("")) // the client fails to dial that
			continue
		}
		s.put(newZMQEnd(pair, s.m))
		s.rep.Send(zmq4.NewMsgString("tcp://" + pair.Addr().String()))
	}
}

func (s *zmqServer) Addr() string { return "tcp://" + s.rep.Addr().String() }

func (s *zmqServer) Close() error {
	s.stop()
	err := s.rep.Close()
	if errors.Is(err, net.ErrClosed) { // the end of its ctx may be faster
		err = nil
	}
	return errors.Join(err, s.closeAll())
}

func dialZMQ(ctx context.Context, addr string, m Message) (End, error) {
	req := zmq4.NewReq(ctx, zmqQuiet)
	defer req.Close()
	if err := req.Dial(addr); err != nil {
		return nil, err
	}
	if err := req.Send(zmq4.NewMsgString("hello")); err != nil {
		return nil, err
	}
	reply, err := req.Recv()
	if err != nil {
		return nil, err
	}
	pair := zmq4.NewPair(context.Background(), zmqQuiet)
	if err := pair.Dial(string(reply.Bytes())); err != nil {
		return nil, err
	}
	return newZMQEnd(pair, m), nil
}

type zmqEnd struct {
	pair  zmq4.Socket
	codec *msgpackCodec // append is guarded by mu, decode belongs to Recv
	close func() error  // once

	mu  sync.Mutex // guards following
	out []byte
}

func newZMQEnd(pair zmq4.Socket, m Message) *zmqEnd {
	return &zmqEnd{pair: pair, codec: newMsgpackCodec(m), close: sync.OnceValue(pair.Close)}
}

// Send uses SendMulti because that writes header and payload at once, where
// the library's Send makes two system calls.
func (e *zmqEnd) Send(stamp int64) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	var err error
	if e.out, err = e.codec.append(e.out[:0], stamp); err != nil {
		return err
	}
	return e.pair.SendMulti(zmq4.NewMsg(e.out))
}

func (e *zmqEnd) Flush() error { return nil }

func (e *zmqEnd) Recv() (int64, error) {
	msg, err := e.pair.Recv()
	if err != nil {
		return 0, err
	}
	if len(msg.Frames) != 1 {
		return 0, errors.New("zmq4: message of several frames")
	}
	return e.codec.decode(msg.Frames[0])
}

func (e *zmqEnd) Pending() bool { return false }
func (e *zmqEnd) Close() error  { return e.close() }
