package peers

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// natsContestants returns NATS with its server inside the listening process.
func natsContestants() []Contestant {
	var all []Contestant
	for _, over := range encrypted {
		all = append(all, Contestant{
			Name: "nats", Codec: "msgpack", Over: over, Background: true, Files: 3,
			Note:   "through a broker; no back-pressure: what is not received yet piles up in memory, here without the usual limits beyond which messages are lost; an end does not learn that its peer is gone",
			Listen: func(m Message) (Server, error) { return listenNATS(over, m) },
			Dial:   dialNATS,
		})
	}
	return all
}

// natsHello is where a client that dials says on which subject it listens, and
// is told on which the server does.
const natsHello = "hello"

// natsQueue is how many received messages wait for Recv outside the library.
const natsQueue = 64

type natsServer struct {
	*backlog
	m      Message
	broker *server.Server
	nc     *nats.Conn // for hellos and groups
}

func listenNATS(over Transport, m Message) (Server, error) {
	opts := &server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true,
		MaxPayload: 8 << 20, MaxPending: 256 << 20,
	}
	if over == TLS {
		config, err := tlsConfig()
		if err != nil {
			return nil, err
		}
		opts.TLS, opts.TLSConfig, opts.TLSTimeout = true, config, 10
	}
	broker, err := server.NewServer(opts)
	if err != nil {
		return nil, err
	}
	broker.Start()
	s := &natsServer{backlog: newBacklog(), m: m, broker: broker}
	if !broker.ReadyForConnections(10 * time.Second) {
		err = errors.New("nats: the server is not ready")
	} else if s.nc, err = connectNATS(broker.ClientURL()); err == nil {
		_, err = s.nc.Subscribe(natsHello, s.greet)
	}
	if err == nil {
		err = s.nc.Flush()
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// greet makes the server's end of the connection that a client asks for. The
// client waits in vain if that fails.
func (s *natsServer) greet(hello *nats.Msg) {
	e, err := newNATSEnd(s.broker.ClientURL(), s.m)
	if err != nil {
		return
	}
	e.subject = string(hello.Data)
	inbox := e.nc.NewInbox()
	if err = e.subscribe(inbox); err == nil {
		err = e.nc.Flush()
	}
	if err == nil {
		err = hello.Respond([]byte(inbox))
	}
	if err != nil {
		e.Close()
		return
	}
	s.put(e)
}

func (s *natsServer) Addr() string { return s.broker.ClientURL() }

func (s *natsServer) Close() error {
	err := s.closeAll()
	if s.nc != nil {
		s.nc.Close()
	}
	s.broker.Shutdown()
	s.broker.WaitForShutdown()
	return err
}

// Group makes the peers of all ends subscribe to one more subject, so that one
// message published there reaches them all.
func (s *natsServer) Group(ends []End) (Sender, error) {
	subject := s.nc.NewInbox()
	for _, end := range ends {
		reply, err := s.nc.Request(end.(*natsEnd).subject, []byte(subject), 10*time.Second)
		if err != nil {
			return nil, err
		}
		if len(reply.Data) > 0 {
			return nil, errors.New(string(reply.Data))
		}
	}
	return &natsSender{nc: s.nc, subject: subject, codec: newMsgpackCodec(s.m)}, nil
}

// natsSender publishes to one subject.
type natsSender struct {
	nc      *nats.Conn
	subject string

	mu    sync.Mutex // guards following
	codec *msgpackCodec
	out   []byte
}

func (e *natsSender) Send(stamp int64) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	var err error
	if e.out, err = e.codec.append(e.out[:0], stamp); err != nil {
		return err
	}
	return e.nc.Publish(e.subject, e.out)
}

func (e *natsSender) Flush() error { return nil } // the client has a goroutine that does

// natsEnd is a client of the broker that publishes to one subject and has
// subscribed to another.
type natsEnd struct {
	natsSender
	m        Message
	received chan natsReceived

	gone    chan struct{} // closed when the client is
	sayGone func()        // closes gone, once
}

type natsReceived struct {
	stamp int64
	err   error
}

func newNATSEnd(url string, m Message) (*natsEnd, error) {
	e := &natsEnd{
		natsSender: natsSender{codec: newMsgpackCodec(m)},
		m:          m,
		received:   make(chan natsReceived, natsQueue),
		gone:       make(chan struct{}),
	}
	e.sayGone = sync.OnceFunc(func() { close(e.gone) })
	var err error
	e.nc, err = connectNATS(url, nats.ClosedHandler(func(*nats.Conn) { e.sayGone() }))
	return e, err
}

// connectNATS connects by TLS where the broker's URL says so.
func connectNATS(url string, opts ...nats.Option) (*nats.Conn, error) {
	opts = append(opts, nats.NoReconnect(), nats.Timeout(10*time.Second))
	if strings.HasPrefix(url, "tls:") {
		config, err := tlsConfig()
		if err != nil {
			return nil, err
		}
		opts = append(opts, nats.Secure(config))
	}
	return nats.Connect(url, opts...)
}

func dialNATS(ctx context.Context, addr string, m Message) (End, error) {
	e, err := newNATSEnd(addr, m)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	inbox := e.nc.NewInbox()
	err = e.subscribe(inbox)
	var reply *nats.Msg
	if err == nil {
		reply, err = e.nc.RequestWithContext(ctx, natsHello, []byte(inbox))
	}
	if err != nil {
		e.Close()
		return nil, err
	}
	e.subject = string(reply.Data)
	return e, nil
}

// subscribe decodes what arrives on subject in the library's goroutine for it.
// A subscription without limits is one with a callback: a channel would have to
// be as large as the longest queue.
func (e *natsEnd) subscribe(subject string) error {
	codec := newMsgpackCodec(e.m)
	sub, err := e.nc.Subscribe(subject, func(msg *nats.Msg) {
		if msg.Reply != "" { // from Group
			e.join(msg)
			return
		}
		stamp, err := codec.decode(msg.Data)
		select {
		case e.received <- natsReceived{stamp, err}:
		case <-e.gone:
		}
	})
	if err != nil {
		return err
	}
	return sub.SetPendingLimits(-1, -1)
}

// join subscribes to the subject of a group.
func (e *natsEnd) join(invitation *nats.Msg) {
	err := e.subscribe(string(invitation.Data))
	if err == nil {
		err = e.nc.Flush()
	}
	if err != nil {
		invitation.Respond([]byte(err.Error()))
		return
	}
	invitation.Respond(nil)
}

func (e *natsEnd) Recv() (int64, error) {
	select {
	case msg := <-e.received:
		return msg.stamp, msg.err
	case <-e.gone:
		return 0, net.ErrClosed
	}
}

func (e *natsEnd) Pending() bool { return len(e.received) > 0 }

func (e *natsEnd) Close() error {
	e.sayGone()
	e.nc.Close()
	return nil
}
