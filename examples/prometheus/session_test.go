package main

import (
	"context"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/qsockettest"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// The counters of sessions go on when one has ended.
func TestSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := qsockettest.Listen("server")
		ln, err := qsocket.NewListener(network, Echo, &qsocket.Options{MaxSessions: 10})
		if err != nil {
			t.Fatal(err)
		}
		go ln.ServeSessions(context.Background(), func(ctx context.Context, s *qsocket.Session[string]) {
			for range s.Messages() {
			}
		})
		var latest net.Conn
		s, err := qsocket.DialSession(t.Context(), "tcp", "server", Echo, &qsocket.Options{
			Backoff: func(int) time.Duration { return 2 * time.Second },
			DialContext: func(ctx context.Context, nw, addr string) (nc net.Conn, err error) {
				latest, err = network.DialContext(ctx, nw, addr)
				return latest, err
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		check := func(sessions string) {
			t.Helper()
			want := strings.ReplaceAll(`
# HELP qsocket_session_down_seconds_total Time that sessions have been without a connection, seconds.
# TYPE qsocket_session_down_seconds_total counter
qsocket_session_down_seconds_total 2
# HELP qsocket_session_resumes_total Connections that sessions have lost and made again.
# TYPE qsocket_session_resumes_total counter
qsocket_session_resumes_total 1
# HELP qsocket_sessions_open Sessions that have not ended, with a connection or without.
# TYPE qsocket_sessions_open gauge
qsocket_sessions_open OPEN
`, "OPEN", sessions)
			if err := testutil.CollectAndCompare(NewCollector(ln), strings.NewReader(want),
				"qsocket_session_down_seconds_total", "qsocket_session_resumes_total", "qsocket_sessions_open"); err != nil {
				t.Error(err)
			}
		}
		_ = latest.Close()
		synctest.Wait()
		time.Sleep(3 * time.Second)
		check("1")
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		check("0")
		if err := ln.Drain(t.Context(), ""); err != nil {
			t.Error(err)
		}
	})
}
