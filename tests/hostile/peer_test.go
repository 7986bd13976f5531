package hostile

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// wholeHello is the whole hello with a map.
func wholeHello(body []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte("QSK\x01"), uint32(len(body))), body...)
}

// control is a control frame.
func control(kind byte, body []byte) []byte {
	return append(append(binary.BigEndian.AppendUint32(nil, 1<<31|uint32(1+len(body))), kind), body...)
}

// first returns the beginning of a text that fits where a peer can put it.
func first(text string, n int) string { return text[:min(len(text), n)] }

// peerWords returns what a peer may send in place of a hello, or behind one, that errors
// quote.
func peerWords(text string) (streams [][]byte) {
	good := testkit.Unhex(testkit.GoldenHello)
	short := first(text, 1000)
	for _, hello := range []map[string]any{
		{"proto": short, "codec": "text", "max": 1},
		{"proto": "text/1", "codec": short, "max": 1},
		{"proto": first(text, 1024), "codec": first(text, 1024), "max": 1, "types": short},
		{"proto": "text/1", "codec": "text", "max": short},
		{"proto": "text/1", "codec": "text", "max": 1, "hb": short},
		{"proto": "text/1", "codec": "text", short: map[string]any{short: short}, "hb": []any{}},
	} {
		streams = append(streams, wholeHello(mustMsgpack(hello)))
	}
	streams = append(streams, []byte(text+"   "), []byte("GET "+text), []byte("\x16\x03"+text), []byte("HTTP/1.1 "+text), append([]byte("QSK\x01\x00\x00\x00\x10"), text+"                "...))
	for _, goodbye := range []map[string]any{
		{"reason": first(text, 1024)},
		{"reason": first(text, 1024), "full": true},
		{"reason": first(text, 2000)},
		{"full": short},
		{"full": true, short: map[any]any{short: short, "x": map[string]any{short: nil}}},
	} {
		streams = append(streams, append(append([]byte{}, good...), control(1, mustMsgpack(goodbye))...))
	}
	for _, kind := range []byte{0, 1, 2, 3, 4, 0x80, 0xff} {
		streams = append(streams, append(append([]byte{}, good...), control(kind, []byte(short))...))
	}
	return append(streams, append(append([]byte{}, good...), short+"\x00\x00\x00"...))
}

// What a peer says in a hello, a goodbye or instead of them, to both ends.
func TestPeersGiveExcerpts(t *testing.T) {
	log := new(testkit.LogCheck)
	opts := &qsocket.Options{Logger: log.Logger(), HandshakeTimeout: testkit.Timeout}
	ln, err := qsocket.Listen("tcp", "127.0.0.1:0", testkit.Named, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() { // ends with ln
		for c := range ln.Conns() {
			c.Done()
		}
	}()
	outcomes := map[string]int{}
	for _, text := range testkit.HostileTexts {
		for i, stream := range peerWords(text) {
			what := fmt.Sprintf("stream %d of %.20q", i, text)
			na, nb := testkit.NetPair(t, "pipe")
			go speak(na, stream)
			c, err := qsocket.NewConn(context.Background(), nb, testkit.Named, opts)
			checkError(t, what, err)
			if err == nil {
				_, err = c.Recv(context.Background())
				checkError(t, what, err)
				checkError(t, what, c.Err())
				checkError(t, what, c.Send(context.Background(), "x"))
				checkError(t, what, c.Shutdown(context.Background()))
				testkit.End(c)
			}
			outcomes[fmt.Sprintf("%T", err)]++
			speak(testkit.NetDial(t, ln), stream)
		}
	}
	checkLog(t, log)
	t.Log(outcomes)
	for _, want := range []string{"*qsocket.HandshakeError", "*qsocket.RemoteError"} {
		if outcomes[want] == 0 {
			t.Errorf("no %s: %v", want, outcomes)
		}
	}
}

// speak says it all, reads until the other end has had enough, and ends.
func speak(nc net.Conn, stream []byte) {
	read := testkit.Async(func() error { _, err := io.Copy(io.Discard, nc); return err })
	_, _ = nc.Write(stream)
	if h, ok := nc.(interface{ CloseWrite() error }); ok {
		_ = h.CloseWrite()
	} else {
		nc.Close()
	}
	<-read
	nc.Close()
}

// longError is a hostileError that can be asked, as those of net.Conns and callbacks have to
// be.
func longError(text string) error {
	if n := len(text) % 6; n == 3 || n == 4 {
		return &net.OpError{Op: "read", Net: text, Err: lateError(text)}
	}
	return hostileError(text)
}

// hostileConn is a net.Conn of another package whose errors and addresses are hostile.
type hostileConn struct {
	net.Conn
	text   string
	failed atomic.Bool
}

type hostileAddr string

func (a hostileAddr) Network() string { return string(a) }
func (a hostileAddr) String() string  { return string(a) }

func (c *hostileConn) RemoteAddr() net.Addr { return hostileAddr(c.text) }
func (c *hostileConn) LocalAddr() net.Addr  { return hostileAddr(c.text) }
func (c *hostileConn) CloseWrite() error    { return longError(c.text) }
func (c *hostileConn) Close() error         { _ = c.Conn.Close(); return longError(c.text) }

func (c *hostileConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil && c.failed.Load() {
		err = &net.OpError{Op: c.text, Net: c.text, Source: hostileAddr(c.text), Addr: hostileAddr(c.text), Err: longError(c.text)}
	} else if err != nil {
		err = longError(c.text)
	}
	return n, err
}

func (c *hostileConn) Write(b []byte) (int, error) {
	if c.failed.Load() {
		return 0, longError(c.text)
	}
	return c.Conn.Write(b)
}

// Connections and listeners of other packages, on both ways into the library.
func TestConnsGiveExcerpts(t *testing.T) {
	log := new(testkit.LogCheck)
	opts := &qsocket.Options{Logger: log.Logger(), CloseTimeout: time.Millisecond}
	for _, text := range testkit.HostileTexts {
		for n := range 6 {
			text := text + "......"[:n]
			for _, failed := range []bool{false, true} {
				for _, p := range []qsocket.Protocol[string]{testkit.Named, testkit.Text} {
					na, nb := net.Pipe()
					hc := &hostileConn{Conn: nb, text: text}
					if p.Name != "" {
						go speak(na, testkit.Unhex(testkit.GoldenHello))
					}
					c, err := qsocket.NewConn(t.Context(), hc, p, opts)
					checkError(t, "NewConn", err)
					if err != nil {
						continue
					}
					hc.failed.Store(failed)
					if failed {
						checkError(t, "Send", c.Send(t.Context(), "x"))
						checkError(t, "Flush", c.Flush(t.Context()))
					} else {
						checkError(t, "CloseWrite", c.CloseWrite())
					}
					na.Close()
					_, err = c.Recv(t.Context())
					checkError(t, "Recv", err)
					checkError(t, "Err", c.Err())
					checkError(t, "Shutdown", c.Shutdown(t.Context()))
					checkError(t, "Close", c.CloseWithReason(text))
					<-c.Done()
				}
			}
			ln, err := qsocket.NewListener(&hostileListener{text: text}, testkit.Named, opts)
			if err != nil {
				t.Fatal(err)
			}
			_, err = ln.Accept(t.Context())
			checkError(t, "Accept", err)
			checkError(t, "Err", ln.Err())
			checkError(t, "Close", ln.Close())
			_, err = ln.Accept(t.Context())
			checkError(t, "Accept", err)
		}
		_, err := qsocket.Dial(t.Context(), "tcp", first(text, 100)+":x", testkit.Named, opts)
		checkError(t, "Dial", err)
		_, err = qsocket.Dial(t.Context(), text, "x", testkit.Named, opts)
		checkError(t, "Dial", err)
		if ln, err := qsocket.Listen("unix", text, testkit.Named, opts); err == nil {
			ln.Close()
		} else {
			checkError(t, "Listen", err)
		}
		named := qsocket.Protocol[string]{Name: text, Codec: testkit.TextCodec, Framing: qsocket.Uint8}
		_, err = qsocket.Dial(t.Context(), "tcp", "x", named, opts)
		checkError(t, "a protocol", err)
	}
	checkLog(t, log)
}

// hostileListener fails at once, first for a while and then for good.
type hostileListener struct {
	text string
	n    int
}

func (l *hostileListener) Addr() net.Addr { return hostileAddr(l.text) }
func (l *hostileListener) Close() error   { return longError(l.text) }
func (l *hostileListener) Accept() (net.Conn, error) {
	if l.n++; l.n == 1 {
		return nil, &net.OpError{Op: "accept", Net: l.text, Addr: l.Addr(), Err: longError(l.text)}
	}
	return nil, errors.New(l.text)
}

// Handlers that panic, callbacks of TLS that panic or refuse, and certificates with hostile
// names.
func TestProgramsGiveExcerpts(t *testing.T) {
	for i, text := range testkit.HostileTexts {
		log := new(testkit.LogCheck)
		for j, value := range hostilePanics(text) {
			config := testkit.ServerTLS()
			config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
				switch hello.ServerName {
				case "panic":
					panic(value)
				case "refuse":
					return nil, longError(text + "......"[:j%6])
				}
				return nil, nil
			}
			ln, err := qsocket.Listen("tcp", "127.0.0.1:0", testkit.Named, &qsocket.Options{Logger: log.Logger(), TLS: config})
			if err != nil {
				t.Fatal(err)
			}
			served := testkit.Async(func() error {
				return ln.Serve(t.Context(), func(context.Context, *qsocket.Conn[string]) { panic(value) })
			})
			for _, name := range []string{"panic", "refuse", "localhost"} {
				client := tls.Client(testkit.NetDial(t, ln), &tls.Config{ServerName: name, InsecureSkipVerify: true, VerifyConnection: func(tls.ConnectionState) error {
					if i%2 == 0 {
						return longError(text)
					}
					return nil
				}})
				c, err := qsocket.NewConn(t.Context(), client, testkit.Named, &qsocket.Options{Logger: log.Logger()})
				if checkError(t, "NewConn", err); err == nil {
					_, err = c.Recv(t.Context())
					checkError(t, "Recv", err)
					testkit.End(c)
				}
			}
			checkError(t, "Shutdown", ln.Shutdown(t.Context()))
			checkError(t, "Serve", <-served)
		}
		checkLog(t, log)
	}
}

// The names in a certificate are its owner's.
func TestCertificatesGiveExcerpts(t *testing.T) {
	for _, name := range []string{"a\x1b[31m.example", "\u202e.example", strings.Repeat("x", 100_000), "one\ntwo"} {
		err := x509.HostnameError{Certificate: &x509.Certificate{DNSNames: []string{name, name}}, Host: name}
		na, nb := testkit.NetPair(t, "tcp")
		go func() { // ends when the client has refused
			_ = tls.Server(na, testkit.ServerTLS()).Handshake()
			na.Close()
		}()
		client := tls.Client(nb, &tls.Config{ServerName: "localhost", InsecureSkipVerify: true, VerifyConnection: func(tls.ConnectionState) error { return err }})
		_, got := qsocket.NewConn(t.Context(), client, testkit.Named, nil)
		checkError(t, name, got)
		var found x509.HostnameError
		if !errors.As(got, &found) {
			t.Errorf("%.20q: got %v, want an x509.HostnameError in it", name, got)
		}
	}
}

// A client of a Unix socket chooses its address.
func TestUnixAddressesGiveExcerpts(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs clients that are bound to a path of their choice")
	}
	dir := t.TempDir()
	log := new(testkit.LogCheck)
	ln, err := qsocket.Listen("unix", filepath.Join(dir, "s"), testkit.Named, &qsocket.Options{Logger: log.Logger()})
	if err != nil {
		t.Fatal(err)
	}
	local := &net.UnixAddr{Name: "@\x1b[31m\n\xff\u202e" + fmt.Sprint(time.Now().UnixNano()), Net: "unix"}
	c, err := net.DialUnix("unix", local, &net.UnixAddr{Name: filepath.Join(dir, "s"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	speak(c, []byte("not a hello"))
	if err := ln.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	checkLog(t, log)
}
