package transports_test

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
)

// A session over each kind that has a listener survives the loss of its connections: the messages of both ends come once and in
// order, although the net.Conn of either end is closed again and again.
func TestSessions(t *testing.T) {
	for _, k := range kinds {
		if k.listen == nil {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			ln, dial, _ := k.listen(t)
			l, err := qsocket.NewListener(ln, named.protocol(), &qsocket.Options{MaxSessions: 1})
			if err != nil {
				t.Fatal(err)
			}
			const rounds, each = 5, 40
			// The peer sends back what it receives, and closes its connection itself now and then.
			served := make(chan error, 1)
			go func() { // ends with the listener
				served <- l.ServeSessions(context.Background(), func(ctx context.Context, s *qsocket.Session[[]byte]) {
					n := 0
					for v := range s.Messages() {
						if n++; n%(2*each) == each/2 {
							closeConn(s)
						}
						if err := s.Send(ctx, v); err != nil {
							t.Errorf("server: Send: %v", err)
						}
					}
				})
			}()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			s, err := qsocket.DialSession(ctx, "tcp", "localhost:1", named.protocol(), &qsocket.Options{
				DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
				Backoff:     func(int) time.Duration { return 10 * time.Millisecond },
			})
			if err != nil {
				t.Fatal(err)
			}
			for round := range rounds {
				for i := range each {
					if err := s.Send(ctx, fmt.Append(nil, round*each+i)); err != nil {
						t.Fatalf("Send: %v", err)
					}
					if i == each/3 {
						closeConn(s)
					}
				}
				for i := range each {
					v, err := s.Recv(ctx)
					if want := fmt.Sprint(round*each + i); err != nil || string(v) != want {
						t.Fatalf("Recv: got %q, %v, want %s", v, err, want)
					}
				}
			}
			if err := s.Shutdown(ctx); err != nil {
				t.Errorf("Shutdown: %v", err)
			}
			if got := s.Stats(); got.Resumes < rounds {
				t.Errorf("%d resumes, want %d at least", got.Resumes, rounds)
			}
			if err := l.Shutdown(ctx); err != nil {
				t.Errorf("Shutdown of the Listener: %v", err)
			}
			if err := <-served; err != nil {
				t.Errorf("ServeSessions: %v", err)
			}
		})
	}
}

// closeConn breaks the connection that s has now, if it has one.
func closeConn(s *qsocket.Session[[]byte]) {
	if nc := s.NetConn(); nc != nil {
		_ = nc.Close()
	}
}
