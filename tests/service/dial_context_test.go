package service

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// viaProxy connects to address through a proxy of HTTP, by CONNECT.
func viaProxy(ctx context.Context, proxy, address string) (nc net.Conn, err error) {
	if nc, err = new(net.Dialer).DialContext(ctx, "tcp", proxy); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })
	defer func() {
		if !stop() && err == nil {
			err = ctx.Err()
		}
		if err != nil {
			nc.Close()
		}
	}()
	r := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address}
	if err := r.Write(nc); err != nil {
		return nil, err
	}
	answer, err := http.ReadResponse(bufio.NewReader(byByte{nc}), r)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("proxy %s: %s", proxy, answer.Status)
	}
	return nc, err
}

// byByte reads single bytes: what comes behind the proxy's answer is the server's, and stays
// where it is.
type byByte struct{ io.Reader }

func (r byByte) Read(b []byte) (int, error) { return r.Reader.Read(b[:min(len(b), 1)]) }

// connectProxy is a proxy of HTTP that connects to the names in hosts.
func connectProxy(t *testing.T, hosts map[string]string) (address string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	t.Cleanup(func() { ln.Close(); running.Wait() })
	running.Go(func() { // ends with ln
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			running.Go(func() { proxyOne(client, hosts) }) // ends with the connection
		}
	})
	return ln.Addr().String()
}

func proxyOne(client net.Conn, hosts map[string]string) {
	defer client.Close()
	in := bufio.NewReader(client)
	r, err := http.ReadRequest(in)
	if err != nil {
		return
	}
	server, err := net.Dial("tcp", hosts[r.Host])
	if err != nil {
		io.WriteString(client, "HTTP/1.1 502 Bad Gateway\r\n\r\n")
		return
	}
	defer server.Close()
	io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
	var copying sync.WaitGroup
	pass := func(to net.Conn, from io.Reader) {
		_, _ = io.Copy(to, from)
		_ = to.(*net.TCPConn).CloseWrite()
	}
	copying.Go(func() { pass(server, in) })
	copying.Go(func() { pass(client, server) })
	copying.Wait()
}

// Through a proxy, plain and with TLS, whose name is that of the address and not the proxy's.
func TestDialThroughProxy(t *testing.T) {
	for _, transport := range []string{"tcp", "tls"} {
		t.Run(transport, func(t *testing.T) {
			ln := testkit.ListenOn(t, transport, testkit.Named, nil)
			proxy := connectProxy(t, map[string]string{"localhost:7070": ln.Addr().String()})
			opts := &qsocket.Options{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				return viaProxy(ctx, proxy, address)
			}}
			if transport == "tls" {
				opts.TLS = testkit.ClientTLS()
			}
			client, err := qsocket.Dial(testkit.Context(t), "tcp", "localhost:7070", testkit.Named, opts)
			if err != nil {
				t.Fatal(err)
			}
			defer testkit.End(client)
			server := testkit.Accept(t, ln)
			testkit.Exchange(t, client, server, "hello")
			testkit.Exchange(t, server, client, "hello yourself")
			if nc, ok := server.NetConn().(*tls.Conn); ok && nc.ConnectionState().ServerName != "localhost" {
				t.Errorf("the server was told %q, want localhost", nc.ConnectionState().ServerName)
			}
			server.Done() // starts its reader, which confirms
			if err := client.Shutdown(testkit.Context(t)); err != nil {
				t.Error(err)
			}

			_, err = qsocket.Dial(testkit.Context(t), "tcp", "elsewhere:7070", testkit.Named, opts)
			if err == nil || err.Error() != "qsocket: dial: proxy "+proxy+": 502 Bad Gateway" {
				t.Errorf("got %v, want the proxy's answer", err)
			}
		})
	}
}

// DialContext gets what Dial was given, whatever it is, and what it returns is used as it is.
func TestDialContextArguments(t *testing.T) {
	ctx := testkit.Context(t)
	for _, name := range []string{"tcp", "udp", "carrier pigeon", ""} {
		ln := qsockettest.Listen("the roof")
		l, err := qsocket.NewListener(ln, testkit.Named, nil)
		if err != nil {
			t.Fatal(err)
		}
		type key struct{}
		mine := context.WithValue(ctx, key{}, name)
		var given net.Conn
		c, err := qsocket.Dial(mine, name, "the roof", testkit.Named, &qsocket.Options{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if network != name || address != "the roof" || ctx.Value(key{}) != name {
				t.Errorf("DialContext(%v, %q, %q)", ctx, network, address)
			}
			given, err = ln.DialContext(ctx, network, address)
			return given, err
		}})
		if err != nil {
			t.Fatal(err)
		}
		testkit.Exchange(t, c, testkit.Accept(t, l), "coo")
		if c.NetConn() != given {
			t.Errorf("NetConn is %v, want that of DialContext", c.NetConn())
		}
		testkit.End(c)
		testkit.EndListener(l)
	}
}

// What DialContext cannot do is told, with its error; a panic is the program's.
func TestDialContextFails(t *testing.T) {
	ctx := testkit.Context(t)
	dial := func(f func(context.Context, string, string) (net.Conn, error)) error {
		c, err := qsocket.Dial(ctx, "tcp", "gateway:7070", testkit.Text, &qsocket.Options{DialContext: f, TLS: testkit.ClientTLS()})
		if c != nil {
			t.Errorf("there is a Conn beside the error %v", err)
			testkit.End(c)
		}
		return err
	}
	broken := errors.New("the line is broken")
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: broken}
	for _, test := range []struct {
		name string
		nc   net.Conn
		err  error
		want string
	}{
		{"error", nil, broken, "qsocket: dial: the line is broken"},
		{"error of package net", nil, refused, "qsocket: dial tcp: the line is broken"},
		{"nil", nil, nil, "qsocket: Options.DialContext returned a nil net.Conn and no error"},
		{"nil pointer", (*net.TCPConn)(nil), nil, "qsocket: Options.DialContext returned a nil net.Conn and no error"},
	} {
		err := dial(func(context.Context, string, string) (net.Conn, error) { return test.nc, test.err })
		if err == nil || err.Error() != test.want || test.err != nil && !errors.Is(err, broken) {
			t.Errorf("%s: got %v, want %s", test.name, err, test.want)
		}
	}
	func() {
		defer func() {
			if r := recover(); r != "oh no" {
				t.Errorf("recovered %v, want the panic of DialContext", r)
			}
		}()
		dial(func(context.Context, string, string) (net.Conn, error) { panic("oh no") })
	}()
}

// ctx bounds DialContext, and HandshakeTimeout only what comes after it.
func TestDialContextBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := qsockettest.Listen("gateway:7070")
		l, err := qsocket.NewListener(ln, testkit.Named, &qsocket.Options{HandshakeTimeout: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		slow := func(ctx context.Context, network, address string) (net.Conn, error) {
			select {
			case <-time.After(time.Minute):
				return ln.DialContext(ctx, network, address)
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		opts := &qsocket.Options{DialContext: slow, HandshakeTimeout: time.Second}
		c, err := qsocket.Dial(t.Context(), "tcp", "gateway:7070", testkit.Named, opts)
		if err != nil {
			t.Fatal(err)
		}
		testkit.End(c)
		testkit.End(testkit.Accept(t, l))

		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := qsocket.Dial(ctx, "tcp", "gateway:7070", testkit.Named, opts); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want context.DeadlineExceeded", err)
		}
		if got := time.Since(start); got != 10*time.Second {
			t.Errorf("Dial returned after %v, want 10 s", got)
		}

		// One that pays no heed to ctx: its connection is not used.
		a, b := qsockettest.NetPipe()
		ctx, cancel = context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		opts.DialContext = func(context.Context, string, string) (net.Conn, error) {
			time.Sleep(time.Minute)
			return a, nil
		}
		if _, err := qsocket.Dial(ctx, "tcp", "gateway:7070", testkit.Named, opts); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want context.DeadlineExceeded", err)
		}
		if n, err := b.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("%d bytes came, and %v: the connection is left open", n, err)
		}
		testkit.EndListener(l)
	})
}

// All but Dial ignore DialContext, and without it Dial knows the networks that there are.
func TestDialContextIsForDial(t *testing.T) {
	opts := &qsocket.Options{DialContext: func(context.Context, string, string) (net.Conn, error) {
		t.Error("DialContext was called")
		return nil, errors.ErrUnsupported
	}}
	ln := testkit.ListenOn(t, "tcp", testkit.Text, opts)
	client := testkit.DialTo(t, "tcp", ln, testkit.Text)
	testkit.Exchange(t, client, testkit.Accept(t, ln), "hello")
	a, b := testkit.Pair(t, "tcp", testkit.Text, opts, opts)
	testkit.Exchange(t, a, b, "hello")
	a, b, err := qsocket.Pipe(testkit.Text, opts)
	if err != nil {
		t.Fatal(err)
	}
	testkit.Exchange(t, a, b, "hello")
	testkit.End(a)
	testkit.End(b)
	if l, err := qsocket.Listen("carrier pigeon", "the roof", testkit.Text, opts); err == nil || !strings.Contains(err.Error(), "want a stream") {
		t.Errorf("Listen: got %v, %v, want an error about the network", l, err)
	}
}

// docs/transports.md shows viaProxy.
func TestDocumentedProxy(t *testing.T) {
	code := testkit.ReadFile(t, "dial_context_test.go")
	code = code[strings.Index(code, "// viaProxy"):strings.Index(code, "\n// connectProxy")]
	page := testkit.ReadFile(t, "../../docs/transports.md")
	if !strings.Contains(page, "```go\n"+code+"```\n") {
		t.Errorf("docs/transports.md does not have this block:\n%s", code)
	}
}
