package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/schema"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

type order struct {
	ID    uint64
	Price float64
	Legs  []leg
}

type leg struct{ Qty int }

type message interface{ isMessage() }

type filled struct{ ID uint64 }

func (order) isMessage()  {}
func (filled) isMessage() {}

var market = qsocket.Protocol[message]{
	Name: "market/1",
	Codec: qsocket.Union(
		qsocket.Case[message](1, qsocket.Msgpack[order]()),
		qsocket.Case[message](2, qsocket.Msgpack[filled]()),
		qsocket.SkipUnknown[message](),
	),
}

// seen returns what a probe of a server has found, and fails if the server has logged anything above Debug.
func seen[T any](t *testing.T, s *serving[T], code int, args ...string) probeResult {
	t.Helper()
	o := runs(t, append([]string{"probe", "--json", s.url}, args...)...)
	var r probeResult
	if err := json.Unmarshal([]byte(o.out), &r); err != nil || o.code != code {
		t.Fatalf("got code %d, %v, want %d\n%s%s", o.code, err, code, o.out, o.err)
	}
	s.stop()
	if text := s.loud.text(); text != "" {
		t.Errorf("the server has logged\n%s", text)
	}
	return r
}

func probes[T any](codec qsocket.Codec[T]) func(*testing.T) {
	return func(t *testing.T) {
		p := qsocket.Protocol[T]{Name: "test/1", Codec: codec}
		s := serve(t, p, &qsocket.Options{MaxFrame: 5000, Heartbeat: 200 * time.Millisecond}, echoing[T])
		r := seen(t, s, 0, "--confirm")
		if !r.Well || !r.Confirmed || r.Protocol != "test/1" || r.Codec != codec.Name() || r.MaxFrame != 5000 || r.Heartbeat != 200 || r.Schema != p.Schema() {
			t.Errorf("got %+v", r)
		}
	}
}

// A probe leaves nothing above Debug in the log of a server, whatever its messages are, and prints their types.
func TestProbeIsQuiet(t *testing.T) {
	t.Run("string", probes(qsocket.Msgpack[string]()))
	t.Run("json", probes(qsocket.JSON[[]string]()))
	t.Run("strings that are not UTF-8", probes(qsocket.Msgpack[string](qsocket.AllowInvalidUTF8())))
	t.Run("struct", probes(qsocket.Msgpack[order]()))
	t.Run("tuple", probes(qsocket.Msgpack[order](qsocket.ArrayEncodedStructs())))
	t.Run("gob", probes(qsocket.Gob[order]()))
	t.Run("no schema", probes(qsocket.Stateless("mine", func(s string) ([]byte, error) { return []byte(s), nil }, func(b []byte, s *string) error { *s = string(b); return nil })))
	t.Run("union", probes(market.Codec))
	t.Run("closed union of others", probes(qsocket.Union(
		qsocket.Case[message](1, qsocket.Gob[order]()),
		qsocket.Case[message](200, qsocket.JSON[filled]()),
	)))
}

func TestProbePrints(t *testing.T) {
	s := serve(t, market, nil, echoing[message])
	want := `protocol    market/1
codec       union(msgpack)
messages    of at most 1 MiB
heartbeats  every 15s
types       ` + schema.Fingerprint(market.Schema()) + `
`
	o := runsBuilt(t, "", "probe", strings.TrimPrefix(s.url, "tcp://"))
	o.want(t, 0, want, "connect ", "hello ", "confirm ")
	if !strings.HasSuffix(o.out, "\n\n  "+strings.TrimSpace(strings.ReplaceAll(market.Schema(), "\n", "\n  "))+"\n") {
		t.Errorf("got\n%s", o.out)
	}
	o = runs(t, "probe", "-n", "7", s.url)
	o.want(t, 0, want, "min       p50       p90       p99       max   of 7\n", "\nconnect  ", "\nhello  ", "\nconfirm  ")
	r := seen(t, s, 0, "-n3")
	if times := r.Times["confirm"]; r.Samples != 3 || times.Min <= 0 || times.P50 < times.Min || times.Max < times.P99 {
		t.Errorf("got %+v", r)
	}
}

// A server whose program only sends has no confirm, which is told and, unless it is asked for, no failure.
func TestProbeConfirm(t *testing.T) {
	ticking := func(ctx context.Context, c *qsocket.Conn[string]) {
		for c.Send(ctx, "tick") == nil {
			time.Sleep(time.Millisecond) // a rate, not a wait
		}
	}
	s := serve(t, qsocket.Protocol[string]{Name: "ticks/1"}, nil, ticking)
	runs(t, "probe", "--timeout", "300ms", s.url).want(t, 0, "confirm     none within 300ms: its program does not read")
	runs(t, "probe", "--timeout", "300ms", "--confirm", s.url).want(t, 1, "no confirm within 300ms")
	s.stop()
	// It notices that we have gone when it cannot send, as with any client that leaves.
	for line := range strings.Lines(s.loud.text()) {
		if !strings.Contains(line, "level=INFO msg=\"qsocket: connection failed\"") {
			t.Errorf("the server has logged %s", line)
		}
	}
}

func TestProbeTLS(t *testing.T) {
	dir := t.TempDir()
	certificate, key := testkit.CA().Server, filepath.Join(dir, "key.pem")
	ca := filepath.Join(dir, "ca.pem")
	write := func(path, kind string, der []byte) {
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(ca, "CERTIFICATE", certificate.Certificate[0])
	der, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write(key, "PRIVATE KEY", der)
	s := serve(t, market, &qsocket.Options{TLS: testkit.ServerTLS()}, echoing[message])
	r := seen(t, s, 0, "--ca", ca)
	if r.TLS == nil || r.TLS.Version != "TLS 1.3" || r.TLS.Subject != "CN=localhost" || !r.Confirmed {
		t.Errorf("got %+v", r)
	}
	s = serve(t, market, &qsocket.Options{TLS: testkit.ServerTLS()}, echoing[message])
	runs(t, "probe", s.url, "-ca", ca, "-cert", ca, "-key", key).want(t, 0, "tls         TLS 1.3, ", "certificate of CN=localhost, until 2")
	runs(t, "probe", s.url).want(t, 1, "certificate signed by unknown authority", "give the certificate of the authority with --ca")
	runs(t, "probe", s.url, "--ca", ca, "--servername", "other").want(t, 1, "--servername")
	runs(t, "probe", s.url, "--ca", key).want(t, 2, "no certificate in PEM")
	runs(t, "probe", s.url, "--ca", dir+"/none").want(t, 2, "no such file")
	runs(t, "probe", s.url, "--cert", ca).want(t, 2, "one of --cert and --key")
	runs(t, "probe", "--timeout", "200ms", "tcp://"+s.Addr().String()).want(t, 1, "no hello within 200ms", "TLS (tls://)")
	plain := serve(t, market, nil, echoing[message])
	runs(t, "probe", "--ca", ca, plain.url).want(t, 2, "options of TLS for tcp://")
	runs(t, "probe", "--ca", ca, "tls://"+plain.Addr().String()).want(t, 1, "TLS handshake: peer runs a named protocol")
}

// What a probe says of a server that does not let it in.
func TestProbeRefused(t *testing.T) {
	t.Run("full", func(t *testing.T) {
		s := serve(t, market, &qsocket.Options{MaxConns: 1}, echoing[message])
		c, err := qsocket.Dial(t.Context(), "tcp", s.Addr().String(), market, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		runs(t, "probe", s.url).want(t, 1, "the server is full: it has its MaxConns", "protocol    market/1")
	})
	t.Run("not admitted", func(t *testing.T) {
		admit := func(_ context.Context, _ qsocket.Peer, attr map[string]string, _ net.Conn) error {
			if attr["token"] != "xy" {
				return qsocket.Refuse("no such token")
			}
			return nil
		}
		s := serve(t, market, &qsocket.Options{Admit: admit}, echoing[message])
		runs(t, "probe", s.url).want(t, 1, `not admitted: "no such token"`, "--attr")
		s = serve(t, market, &qsocket.Options{Admit: admit}, echoing[message])
		if r := seen(t, s, 0, "--attr", "token=xy"); !r.Well || !r.Admits || r.Schema != market.Schema() {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("another name", func(t *testing.T) {
		s := serve(t, market, nil, echoing[message])
		runs(t, "probe", "--name", "market/2", s.url).want(t, 1, `the server's protocol is "market/1", and not "market/2"`)
		testkit.Eventually(t, "the server to notice", func() bool { return s.Stats().Refused == 1 })
		s.stop()
		if text := s.loud.text(); text != "" {
			t.Errorf("the server has logged\n%s", text)
		}
	})
	t.Run("another codec", func(t *testing.T) {
		s := serve(t, market, nil, echoing[message])
		runs(t, "probe", "--name", "market/1", "--codec", "gob", s.url).want(t, 1, `the server's codec is "union(msgpack)", and not "gob"`)
	})
	t.Run("its program", func(t *testing.T) {
		s := serve(t, market, nil, func(_ context.Context, c *qsocket.Conn[message]) { c.CloseWithCode(1234, "tea time") })
		runs(t, "probe", s.url).want(t, 1, `ended by the server with code 1234`, `"tea time"`)
	})
}

func TestProbeSessions(t *testing.T) {
	s := serve(t, market, &qsocket.Options{MaxSessions: 10, SessionExpiry: time.Minute}, nil)
	r := seen(t, s, 0, "--confirm")
	if r.Sessions == nil || r.Sessions.Expiry != 60_000 || r.Sessions.Keep == 0 {
		t.Errorf("got %+v", r)
	}
}

func TestProbeRaw(t *testing.T) {
	raw := qsocket.Protocol[string]{Framing: qsocket.Netstring}
	s := serve(t, raw, nil, echoing[string])
	runs(t, "probe", "--timeout", "200ms", s.url).want(t, 1, "no hello within 200ms", "raw mode (--codec)")
	runs(t, "probe", "--framing", "Hyper", s.url).want(t, 2, `--framing "Hyper" is none of Uint32, Uint16`)
	r := seen(t, s, 0, "--framing", "netstring")
	if !r.Well || !r.Raw || r.Framing != "Netstring" {
		t.Errorf("got %+v", r)
	}
	s = serve(t, raw, nil, func(ctx context.Context, c *qsocket.Conn[string]) { c.Send(ctx, "welcome"); echoing(ctx, c) })
	runs(t, "probe", "--codec", "msgpack", s.url).want(t, 0, "raw mode, as the options say: framing Uint32, codec msgpack")
	runs(t, "probe", s.url).want(t, 1, `no hello of qsocket`)
	named := serve(t, market, nil, echoing[message])
	runs(t, "probe", "--codec", "msgpack", named.url).want(t, 1, "the server has a hello")
	runs(t, "probe", "--codec", "msgpack", hostile(t, func(nc net.Conn) { nc.(*net.TCPConn).CloseWrite() })).want(t, 1, "ends the connection at once")
}

func TestProbeNothingThere(t *testing.T) {
	nl, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nl.Close()
	runsBuilt(t, "", "probe", nl.Addr().String()).want(t, 1, "qsocket: tcp://"+nl.Addr().String()+": connection refused: nothing listens there\n")
	o := runsBuilt(t, "", "probe", "--json", nl.Addr().String())
	o.want(t, 1, `"well":false,"error":"tcp://`)
	if o.err != "" {
		t.Errorf("got %q on stderr", o.err)
	}
	runs(t, "probe", "unix://"+filepath.Join(t.TempDir(), "none")).want(t, 1, "there is no such socket")
	for _, args := range []string{"udp://h:1", "localhost", "tcp://", "unix://", "-n 0 localhost:1", "-n x localhost:1", "-frob x", "", "localhost:1 --timeout x"} {
		runs(t, append([]string{"probe"}, strings.Fields(args)...)...).want(t, 2)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if code := run(ctx, []string{"probe", "localhost:1"}, strings.NewReader(""), new(strings.Builder), new(strings.Builder)); code != 1 {
		t.Errorf("interrupted: got code %d", code)
	}
}

func TestProbeUnix(t *testing.T) {
	path := filepath.Join(testkit.ShortTempDir(t), "s")
	ln, err := qsocket.Listen("unix", path, market, nil)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- ln.Serve(context.Background(), echoing[message]) }()
	runs(t, "probe", "unix://"+path).want(t, 0, "market/1")
	testkit.EndListener(ln)
	fmt.Fprint(t.Output(), <-served)
}
