package interop

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

func said(n int, how string) string { return fmt.Sprintf("%d %s", n, how) }

// goFinishesFirst: the answers to what was sent before still come.
func goFinishesFirst(t *testing.T, m match) {
	ctx := testkit.Context(t)
	c := meet(t, m, m.values(), nil, "echo")
	for i := range 3 {
		if err := c.Send(ctx, Value{Int: int64(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if got, err := c.Recv(ctx); got.Int != int64(i) || err != nil {
			t.Errorf("got %+v, %v, want %d", got, err, i)
		}
	}
	part(t, m, c, "echo", 3)
}

// peerFinishesFirst: it takes what comes after that.
func peerFinishesFirst(t *testing.T, m match) {
	ctx := testkit.Context(t)
	c := meet(t, m, m.values(), nil, "finish")
	for i := range 3 {
		if got, err := c.Recv(ctx); got.Int != int64(i) || err != nil {
			t.Errorf("got %+v, %v, want %d", got, err, i)
		}
	}
	if got, err := c.Recv(ctx); err != io.EOF {
		t.Fatalf("got %+v, %v, want the end", got, err)
	}
	for i := range 4 {
		if err := c.Send(ctx, Value{Int: int64(i)}); err != nil {
			t.Fatal(err)
		}
	}
	part(t, m, c, "finish", 4)
}

// bothAtOnce: the goodbyes, or the ends of the streams, may cross.
func bothAtOnce(t *testing.T, m match) {
	for range 5 {
		c := meet(t, m, m.values(), nil, "close")
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		testkit.WaitClosed(t, "the end", c.Done())
		if err := c.Err(); err != nil {
			t.Error(err)
		}
		m.done(t, "close", "0 clean")
	}
}

// cuts are bytes behind which the connection ends, by framing: inside a header, and inside a frame.
var cuts = map[qsocket.Framing][]string{
	qsocket.Uint32:    {"000000", "0000000561"},
	qsocket.Uint16:    {"00", "000561"},
	qsocket.Uint8:     {"05", "0561"},
	qsocket.Uint32LE:  {"050000", "0500000061"},
	qsocket.Uvarint:   {"85", "0561"},
	qsocket.Netstring: {"35", "353a61", "353a6162636465"},
}

// cutFrames: an end takes a frame that is cut off for a failure, and goes on with others.
func cutFrames(t *testing.T, m match) {
	words := cuts[m.framing]
	if m.named {
		words = append(words, "8000", "8000000301")
	}
	if m.role == "client" {
		ln, err := qsocket.Listen("tcp", "127.0.0.1:0", m.values(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer testkit.EndListener(ln)
		port := ln.Addr().(*net.TCPAddr).Port
		for _, hex := range words {
			m.do(t, "client %d cut %s", port, hex)
			c := testkit.Accept(t, ln)
			if got, err := c.Recv(testkit.Context(t)); !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("cut %s: got %+v, %v, want ErrUnexpectedEOF", hex, got, err)
			}
			testkit.WaitClosed(t, "the end", c.Done())
			m.done(t, "cut "+hex, "0 lost", "0 clean") // not every language can tell
		}
		m.do(t, "client %d echo", port)
		once(t, m, testkit.Accept(t, ln), "echo")
		return
	}
	m.do(t, "server 0 torn")
	address := "127.0.0.1:" + m.said(t, "READY")
	hello := ""
	if m.named {
		hello = valuesHello
		words = append(words, "") // the end without a goodbye
		cut(t, address, valuesHello[:20], false)
	}
	for i, hex := range words {
		cut(t, address, hello+hex, i%2 == 1)
	}
	c, err := qsocket.Dial(testkit.Context(t), "tcp", address, m.values(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { testkit.End(c) })
	once(t, m, c, "torn")
}

// valuesHello is the shortest hello for values/1.
const valuesHello = "51534b0100000027" + "83" + "a570726f746f" + "a876616c7565732f31" + "a5636f646563" + "a76d73677061636b" + "a36d6178" + "ce00100000"

// once sends a message there and back.
func once(t *testing.T, m match, c *qsocket.Conn[Value], task string) {
	t.Helper()
	ctx := testkit.Context(t)
	if err := c.Send(ctx, Value{Int: 1}); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Recv(ctx); got.Int != 1 || err != nil {
		t.Errorf("got %+v, %v", got, err)
	}
	part(t, m, c, task, 1)
}

// cut connects, sends bytes, and ends or resets the connection.
func cut(t *testing.T, address, words string, reset bool) {
	t.Helper()
	nc, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	b, err := hex.DecodeString(words)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := nc.Write(b); err != nil {
		t.Error(err)
	}
	if reset {
		_ = nc.(*net.TCPConn).SetLinger(0)
		return
	}
	_ = nc.(*net.TCPConn).CloseWrite()
	_ = nc.SetReadDeadline(time.Now().Add(testkit.Timeout))
	if _, err := io.Copy(io.Discard, nc); testkit.IsTimeout(err) {
		t.Errorf("the peer has not ended a connection that was cut at %s", words)
	}
}

const size = 20_000

// flood sends many small messages while the peer sends as many.
func flood(t *testing.T, m match) { exchange(t, m, fmt.Sprintf("flood %d", size)) }

// answers sends many small messages, each of which the peer answers where it reads: it reads nothing while it writes.
func answers(t *testing.T, m match) { exchange(t, m, "echo") }

// exchange sends from one goroutine and receives in another, as a peer needs it that does not.
func exchange(t *testing.T, m match, task string) {
	ctx := testkit.Context(t)
	c := meet(t, m, m.values(), nil, task)
	var sending sync.WaitGroup
	sending.Go(func() { // until all is sent, or the connection ends
		for i := range size {
			if err := c.Send(ctx, Value{Int: int64(i)}); err != nil {
				t.Error(err)
				return
			}
		}
		if err := c.CloseWrite(); err != nil {
			t.Error(err)
		}
	})
	for i := range size {
		if got, err := c.Recv(ctx); got.Int != int64(i) || err != nil {
			testkit.End(c)
			sending.Wait()
			t.Fatalf("got %+v, %v, want %d", got, err, i)
		}
	}
	sending.Wait()
	part(t, m, c, task, size)
}
