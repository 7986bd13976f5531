package peers

import (
	"context"
	"errors"
	"net"
	"sync"
)

// overTCP completes a contestant that needs nothing from a connection but
// bytes: open makes an End of either side of it.
func overTCP(c Contestant, open func(nc net.Conn, m Message) (End, error)) Contestant {
	c.Listen = func(m Message) (Server, error) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		return &tcpServer{ln: ln, open: func(nc net.Conn) (End, error) { return open(nc, m) }}, nil
	}
	c.Dial = func(ctx context.Context, addr string, m Message) (End, error) {
		var d net.Dialer
		nc, err := d.DialContext(ctx, "tcp", addr)
		if err != nil {
			return nil, err
		}
		return open(nc, m)
	}
	return c
}

// tcpServer is a Server of which each accepted connection is an End.
type tcpServer struct {
	ln   net.Listener
	open func(net.Conn) (End, error)

	mu   sync.Mutex // guards following
	ends []End
}

func (s *tcpServer) Addr() string { return s.ln.Addr().String() }

func (s *tcpServer) Accept() (End, error) {
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

func (s *tcpServer) Close() error {
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

// closeHard resets the connection. A close in order would leave each of
// thousands of ports in TIME_WAIT.
func closeHard(nc net.Conn) error {
	if tcp, ok := nc.(*net.TCPConn); ok {
		tcp.SetLinger(0) // fails only on what is closed already
	}
	return nc.Close()
}
