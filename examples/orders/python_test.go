package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/examples/orders/market"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// runPython runs examples/python/orders.py and returns what it says.
func runPython(t *testing.T, args ...string) (output string, err error) {
	t.Helper()
	out, err := testkit.Python(t, append([]string{"../python/orders.py"}, args...)...).CombinedOutput()
	return string(out), err
}

func TestPythonClient(t *testing.T) {
	g, end := startGateway(t)
	out, err := runPython(t, g.ln.Addr().String(), "3000")
	if err != nil || !strings.Contains(out, "6000 of 6000 orders answered, 60000 filled,") || !strings.HasSuffix(strings.TrimSpace(out), "verified") {
		t.Errorf("client: %v\n%s", err, out)
	}
	report := end()
	if p := report.problems(); len(p) > 0 || report.received[market.KindOrder] != 6000 || report.clients != 1 {
		t.Errorf("gateway: %v, %d orders of %d clients", p, report.received[market.KindOrder], report.clients)
	}
}

// A client learns that the gateway goes away, and finishes.
func TestPythonClientGoingAway(t *testing.T) {
	g, end := startGateway(t)
	cmd := testkit.Python(t, "../python/orders.py", g.ln.Addr().String(), "100000000") // which may skip the test, so not below
	client := testkit.Async(func() error {
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), "verified") {
			t.Errorf("client: %v\n%s", err, out)
		}
		return err
	})
	testkit.Eventually(t, "the client to trade", func() bool { return g.ln.Totals().MessagesReceived > 100 || len(client) > 0 })
	report := end()
	if p := report.problems(); len(p) > 0 {
		t.Errorf("gateway: %v", p)
	}
	<-client
}

// What the client says when there is no talking to the other end.
func TestPythonClientRefused(t *testing.T) {
	codec := market.Protocol.Codec
	for _, tt := range []struct {
		name string
		p    qsocket.Protocol[market.Message]
		want string
	}{
		{"another name", qsocket.Protocol[market.Message]{Name: "orders/2", Codec: codec}, `orders.py: proto differs: "orders/1" here, "orders/2" at the peer`},
		{"another codec", qsocket.Protocol[market.Message]{Name: "orders/1", Codec: qsocket.Stateless[market.Message]("json", nil, nil)}, `orders.py: codec differs: "union(msgpack)" here, "json" at the peer`},
		{"raw mode", qsocket.Protocol[market.Message]{Codec: codec}, "the peer runs raw mode or another protocol"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ln, err := qsocket.Listen("tcp", "127.0.0.1:0", tt.p, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			go ln.Serve(testContext(t), func(ctx context.Context, conn *qsocket.Conn[market.Message]) { // ends with ln
				for range conn.Messages() {
				}
			})
			if out, err := runPython(t, ln.Addr().String()); err == nil || !strings.Contains(out, tt.want) {
				t.Errorf("got %v\n%s\nwant %s", err, out, tt.want)
			}
		})
	}
}

// What the client says of messages that are none.
func TestPythonClientMalformed(t *testing.T) {
	// {proto: orders/1, codec: union(msgpack), max: 1000}
	const hello = "QSK\x01\x00\x00\x00\x2c\x83\xa5proto\xa8orders/1\xa5codec\xaeunion(msgpack)\xa3max\xcd\x03\xe8"
	for _, tt := range []struct{ name, first, want string }{
		{"empty", "", "orders.py: message without a tag"},
		{"no value", "\x02", "orders.py: message with the tag 2: "},
		{"bytes behind the value", "\x02\x80\x80", "orders.py: message with the tag 2: "},
		{"text that is not UTF-8", "\x02\x81\xa1\xff\x01", "orders.py: message with the tag 2: "},
		{"an array", "\x04\x90", "orders.py: message with the tag 4: want a map, got []"},
		{"a number that is none", "\x04\x81\xa3qty\xa1x", "orders.py: qty: want an integer, got 'x'"},
		{"a number that is nil", "\x04\x81\xa3qty\xc0", "orders.py: the connection ended without a goodbye"},
		{"of a later version", "\x80\x01", "orders.py: the connection ended without a goodbye"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			go func() { // ends with the client, or ln
				nc, err := ln.Accept()
				if err != nil {
					return
				}
				defer nc.Close()
				io.WriteString(nc, hello+string(binary.BigEndian.AppendUint32(nil, uint32(len(tt.first))))+tt.first)
				nc.(*net.TCPConn).CloseWrite()
				io.Copy(io.Discard, nc)
			}()
			if out, err := runPython(t, ln.Addr().String(), "1"); err == nil || !strings.HasPrefix(out, tt.want) {
				t.Errorf("got %v\n%s\nwant %s", err, out, tt.want)
			}
		})
	}
}

// The client ends when the gateway gives a reason, and answers. Meanwhile, when
// it has nothing more to say, it sends heartbeats.
func TestPythonClientHeartbeat(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	const (
		// {proto: orders/1, codec: union(msgpack), max: 1000, hb: 100}
		hello   = "QSK\x01\x00\x00\x00\x30\x84\xa5proto\xa8orders/1\xa5codec\xaeunion(msgpack)\xa3max\xcd\x03\xe8\xa2hb\x64"
		half    = "\x01\x81\xa4full\xc2"
		beat    = "\x02"
		confirm = "\x03"
		full    = "\x01\x81\xa4full\xc3"
		reason  = "\x80\x00\x00\x19\x01\x82\xa6reason\xa9that's it\xa4full\xc3"
	)
	heard := make(chan []string, 1) // bodies of control frames
	go func() {                     // ends with the client, or ln
		var bodies []string
		defer func() { heard <- bodies }()
		nc, err := ln.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		io.WriteString(nc, hello)
		r := bufio.NewReader(nc)
		r.Discard(4) // the magic; the length of the hello is as the header of a message
		for {
			var header [4]byte
			if _, err := io.ReadFull(r, header[:]); err != nil {
				return
			}
			body := make([]byte, binary.BigEndian.Uint32(header[:])&^(1<<31))
			if _, err := io.ReadFull(r, body); err != nil {
				return
			}
			if header[0] < 0x80 || string(body) == beat && len(bodies) != 1 {
				continue // a message, or a heartbeat that is not the first after the goodbye
			}
			bodies = append(bodies, string(body))
			if len(bodies) == 2 { // half a goodbye and a heartbeat
				io.WriteString(nc, reason)
			}
		}
	}()
	out, err := runPython(t, ln.Addr().String(), "1")
	if err == nil || !strings.Contains(out, "orders.py: that's it") {
		t.Errorf("got %v\n%s\nwant the reason", err, out)
	}
	got := <-heard
	if want := []string{half, beat, confirm, full}; strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("got control frames %q, want %q", got, want)
	}
}
