package peers

import (
	"context"
	"errors"
	"net"
	"sync"
)

// onStream completes a contestant that needs nothing from a connection but
// bytes: open makes an End of either side of it.
func onStream(c Contestant, open func(nc net.Conn, m Message) (End, error)) Contestant {
	c.Listen = func(m Message) (Server, error) {
		ln, err := c.Over.listen()
		if err != nil {
			return nil, err
		}
		return &streamServer{ln: ln, open: func(nc net.Conn) (End, error) { return open(nc, m) }}, nil
	}
	c.Dial = func(ctx context.Context, addr string, m Message) (End, error) {
		nc, err := c.Over.dial(ctx, addr)
		if err != nil {
			return nil, err
		}
		return open(nc, m)
	}
	return c
}

// onStreams is onStream for several transports.
func onStreams(over []Transport, c Contestant, open func(nc net.Conn, m Message) (End, error)) []Contestant {
	var all []Contestant
	for _, c.Over = range over {
		all = append(all, onStream(c, open))
	}
	return all
}

// streamServer is a Server of which each accepted connection is an End.
type streamServer struct {
	ln   net.Listener
	open func(net.Conn) (End, error)

	mu   sync.Mutex // guards following
	ends []End
}

func (s *streamServer) Addr() string { return s.ln.Addr().String() }

func (s *streamServer) Accept() (End, error) {
	nc, err := s.ln.Accept()
	if err != nil {
		return nil, err
	}
	end, err := s.open(nc)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ends = append(s.ends, end)
	return end, nil
}

func (s *streamServer) Close() error {
	err := s.ln.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, end := range s.ends {
		if e := end.Close(); !errors.Is(e, net.ErrClosed) {
			err = errors.Join(err, e)
		}
	}
	s.ends = nil
	return err
}
