package service

import (
	"crypto/tls"
	"log/slog"
	"net"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// A balancer that looks whether a server is there, and says nothing, leaves nothing at level Warn in the
// log. A client that has begun to say something does.
func TestHealthChecks(t *testing.T) {
	connects := func(t *testing.T, nc net.Conn) {}
	resets := func(t *testing.T, nc net.Conn) {
		if err := nc.(*net.TCPConn).SetLinger(0); err != nil {
			t.Error(err)
		}
	}
	says := func(what string) func(t *testing.T, nc net.Conn) {
		return func(t *testing.T, nc net.Conn) {
			if _, err := nc.Write([]byte(what)); err != nil {
				t.Error(err)
			}
		}
	}
	greets := func(config *tls.Config) func(t *testing.T, nc net.Conn) {
		return func(t *testing.T, nc net.Conn) {
			secure := tls.Client(nc, config)
			_ = secure.Handshake() // what becomes of it is the server's business
			_ = secure.Close()
		}
	}
	for _, test := range []struct {
		name  string
		check func(t *testing.T, nc net.Conn)
		tls   *tls.Config
		cause string
		level slog.Level
	}{
		{"connects", connects, nil, "hello", slog.LevelDebug},
		{"resets", resets, nil, "hello", slog.LevelDebug},
		{"begins a hello", says("QSK"), nil, "hello", slog.LevelWarn},
		{"asks for a page", says("GET / HTTP/1.1\r\n\r\n"), nil, "magic", slog.LevelWarn},
		{"connects, TLS", connects, testkit.ServerTLS(), "tls", slog.LevelDebug},
		{"resets, TLS", resets, testkit.ServerTLS(), "tls", slog.LevelDebug},
		{"shakes hands, TLS", greets(&tls.Config{InsecureSkipVerify: true}), testkit.ServerTLS(), "hello", slog.LevelDebug},
		{"does not trust the server, TLS", greets(&tls.Config{ServerName: "elsewhere"}), testkit.ServerTLS(), "tls", slog.LevelWarn},
		{"is too old, TLS", greets(&tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10}), testkit.ServerTLS(), "tls", slog.LevelWarn},
		{"begins a record, TLS", says("\x16\x03\x01"), testkit.ServerTLS(), "tls", slog.LevelWarn},
	} {
		t.Run(test.name, func(t *testing.T) {
			var log testkit.LogRecorder
			debug := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			ln, err := qsocket.Listen("tcp", "127.0.0.1:0", testkit.Named, &qsocket.Options{Logger: debug, TLS: test.tls})
			if err != nil {
				t.Fatal(err)
			}
			defer testkit.EndListener(ln)
			nc := testkit.NetDial(t, ln)
			test.check(t, nc)
			_ = nc.Close()
			testkit.Eventually(t, "the handshake to end", func() bool { return ln.Stats().Refused == 1 })
			if got := log.Count("handshake refused", "cause="+test.cause, "level="+test.level.String()); got != 1 || log.Count() != 1 {
				t.Errorf("want one line at level %v with cause=%s, got\n%s", test.level, test.cause, log.Text())
			}
		})
	}
}
