package peers

import (
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
)

// A backlog keeps the ends that a library's own server has accepted until
// Accept asks for them.
type backlog struct {
	mu      sync.Mutex // guards following
	arrival *sync.Cond // signalled when waiting grows or closed is set
	waiting []End
	all     []End // to be closed with the server
	closed  bool
}

func newBacklog() *backlog {
	b := new(backlog)
	b.arrival = sync.NewCond(&b.mu)
	return b
}

// put hands end to Accept, or closes it if the server is closed.
func (b *backlog) put(end End) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		end.Close() // its error does not matter
		return
	}
	b.waiting = append(b.waiting, end)
	b.all = append(b.all, end)
	b.arrival.Signal()
}

func (b *backlog) Accept() (End, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.waiting) == 0 {
		if b.closed {
			return nil, net.ErrClosed
		}
		b.arrival.Wait()
	}
	end := b.waiting[0]
	b.waiting = b.waiting[1:]
	return end, nil
}

// closeAll closes all ends and makes Accept fail.
func (b *backlog) closeAll() error {
	b.mu.Lock()
	all := b.all
	b.all, b.waiting, b.closed = nil, nil, true
	b.arrival.Broadcast()
	b.mu.Unlock()
	var err error
	for _, end := range all {
		if e := end.Close(); !errors.Is(e, net.ErrClosed) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// httpServer is a Server whose ends begin as HTTP requests.
type httpServer struct {
	*backlog
	addr   string
	server *http.Server
}

// listenHTTP starts server on a free port. Its handler puts the ends into b.
func listenHTTP(scheme string, over Transport, server *http.Server, b *backlog) (Server, error) {
	ln, err := over.listen()
	if err != nil {
		return nil, err
	}
	server.ErrorLog = log.New(io.Discard, "", 0) // a connection that ends hard is none
	go server.Serve(ln)                          // returns when the server is closed
	return &httpServer{backlog: b, addr: scheme + "://" + ln.Addr().String(), server: server}, nil
}

func (s *httpServer) Addr() string { return s.addr }

func (s *httpServer) Close() error {
	err := s.closeAll() // the server does not know the connections that were taken over from it
	return errors.Join(err, s.server.Close())
}

// envelope is the message of libraries that call a codec by themselves.
type envelope struct {
	codec *msgpackCodec
	stamp int64
	size  int // of the largest payload; 0 if it is not measured
}

func newEnvelope(m Message) (envelope, error) {
	payload, err := m.payload()
	return envelope{codec: newMsgpackCodec(m), size: len(payload)}, err
}

// marshalAppend appends the encoded message to dst.
func (m *envelope) marshalAppend(dst []byte) ([]byte, error) { return m.codec.append(dst, m.stamp) }

// unmarshal decodes payload into m.
func (m *envelope) unmarshal(payload []byte) (err error) {
	m.stamp, err = m.codec.decode(payload)
	return err
}
