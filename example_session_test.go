package qsocket_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"sync"
	"time"

	"github.com/fb9bb4ed/qsocket"
)

// echoSession is a handler.
func echoSession(ctx context.Context, s *qsocket.Session[string]) {
	for m, err := range s.All(ctx) {
		if err != nil || s.Send(ctx, m) != nil {
			return
		}
	}
}

// fragile makes connections that a test can break.
type fragile struct {
	mu     sync.Mutex
	latest net.Conn
}

func (f *fragile) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	nc, err := new(net.Dialer).DialContext(ctx, network, address)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.latest = nc
	return nc, err
}

func (f *fragile) Break() {
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = f.latest.Close()
}

// A session goes on when its connection breaks: nothing is lost, nothing comes twice.
func ExampleSession() {
	ln := mustListen(echoes, &qsocket.Options{MaxSessions: 100})
	served := make(chan error, 1)
	go func() { served <- ln.ServeSessions(context.Background(), echoSession) }()

	ctx := context.Background()
	var wire fragile
	kinds := make(chan qsocket.SessionKind, 100)
	s, err := qsocket.DialSession(ctx, "tcp", ln.Addr().String(), echoes, &qsocket.Options{
		DialContext: wire.DialContext,
		Backoff:     func(failures int) time.Duration { return 10 * time.Millisecond },
		OnSession:   func(e qsocket.SessionEvent) { kinds <- e.Kind },
	})
	if err != nil {
		log.Fatal(err)
	}
	for i := range 3 {
		if err := s.Send(ctx, fmt.Sprint("message ", i)); err != nil {
			log.Fatal(err)
		}
		wire.Break()
		m, err := s.Recv(ctx)
		fmt.Println(m, err)
	}
	fmt.Println(s.Sync(ctx), s.Shutdown(ctx))
	fmt.Println(<-kinds, <-kinds)
	fmt.Println(ln.Drain(ctx, "done"), <-served)
	// Output:
	// message 0 <nil>
	// message 1 <nil>
	// message 2 <nil>
	// <nil> <nil>
	// SessionDown SessionResumed
	// <nil> <nil>
}

// After the end of a session a program finds what it has sent and the peer has perhaps not taken.
func ExampleSession_Unacknowledged() {
	ln := mustListen(echoes, &qsocket.Options{MaxSessions: 100})
	defer ln.Close()
	sent := make(chan struct{})
	go ln.ServeSessions(context.Background(), func(ctx context.Context, s *qsocket.Session[string]) {
		<-sent
		s.CloseWithCode(2000, "no space left") // without receiving what has come
	})
	ctx := context.Background()
	dial := func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", ln.Addr().String())
	}
	s, err := qsocket.NewSession(ctx, dial, echoes, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	if err := s.Send(ctx, "store this"); err != nil {
		log.Fatal(err)
	}
	close(sent)
	<-s.Done()
	if remote := (*qsocket.RemoteError)(nil); errors.As(s.Err(), &remote) {
		fmt.Println(remote.Code, remote.Reason)
	}
	for m, mayHaveArrived := range s.Unacknowledged() {
		fmt.Println(m, mayHaveArrived)
	}
	if lost := (*qsocket.SessionError)(nil); errors.As(s.Err(), &lost) {
		fmt.Println("lost:", lost.Why)
	}
	// Output:
	// code 2000 no space left
	// store this true
}

// Redial is for programs that begin anew on each connection.
func ExampleRedial() {
	ln := mustListen(echoes, nil)
	defer ln.Close()
	go ln.Serve(context.Background(), echoAll)
	attempts := 0
	opts := &qsocket.Options{Backoff: func(failures int) time.Duration { return time.Millisecond }}
	err := qsocket.Redial(context.Background(), "tcp", ln.Addr().String(), echoes, opts, func(ctx context.Context, conn *qsocket.Conn[string]) error {
		switch attempts++; attempts {
		case 1:
			return errors.New("this connection is no good")
		case 2:
			if err := conn.Send(ctx, "hello"); err != nil {
				return err
			}
			m, err := conn.Recv(ctx)
			fmt.Println(m, err)
			return err
		}
		return qsocket.Permanent(errors.New("twice is enough"))
	})
	fmt.Println(attempts, err)
	// Output:
	// hello <nil>
	// 2 <nil>
}
