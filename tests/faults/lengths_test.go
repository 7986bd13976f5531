package faults

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// A peer that announces a large frame and sends little of it makes us hold
// little: buffers grow as bytes arrive, not as they are announced.
func TestFault04LyingLengths(t *testing.T) {
	testkit.CheckGoroutines(t)
	const peers, limit = 200, 16 << 10
	ctx := testkit.Context(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	before := testkit.LiveHeap()
	var conns []*qsocket.Conn[[]byte]
	for range peers {
		peer, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer peer.Close()
		nc, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		c, err := qsocket.NewConn(ctx, nc, testkit.Raw, &qsocket.Options{MaxFrame: 64 << 20})
		if err != nil {
			t.Fatal(err)
		}
		defer testkit.End(c)
		c.Messages()
		lie := binary.BigEndian.AppendUint32(nil, 64<<20)
		if _, err := peer.Write(append(lie, make([]byte, 1<<10)...)); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	for _, c := range conns { // a message the other way costs time for all to have arrived
		if err := c.Send(ctx, nil); err != nil {
			t.Fatal(err)
		}
		if err := c.Flush(ctx); err != nil {
			t.Fatal(err)
		}
	}
	got := testkit.HeapPer(peers, before)
	t.Logf("%d peers that announced 64 MiB and sent 1 KiB cost %d bytes each", peers, got)
	if got > limit {
		t.Errorf("%d bytes for each lying peer, want at most %d", got, limit)
	}
}

// A length above MaxFrame is refused as soon as the header has come, and costs
// no memory but that of the read.
func TestFault05LengthAboveMaxFrame(t *testing.T) {
	testkit.CheckGoroutines(t)
	const maxFrame = 64 << 20
	const limit = 128 << 10 // a read may take a buffer of 64 KiB before it knows what comes
	worst := uint64(0)
	try := func(t *testing.T, c *qsocket.Conn[string], peer io.Writer, header string) {
		ctx := testkit.Context(t)
		var err error
		allocated := testkit.Allocated(func() {
			if _, err = peer.Write([]byte(header)); err == nil { // and no more: the connection stays open
				_, err = c.Recv(ctx)
			}
		})
		if !errors.Is(err, qsocket.ErrProtocol) {
			t.Errorf("% x: got %v, want ErrProtocol", header, err)
		}
		if worst = max(worst, allocated); allocated > limit {
			t.Errorf("% x: %d bytes allocated, want at most %d", header, allocated, limit)
		}
		testkit.WaitClosed(t, "Done", c.Done())
	}
	opts := &qsocket.Options{MaxFrame: maxFrame}
	for _, test := range []struct {
		framing qsocket.Framing
		header  string
	}{
		{qsocket.Uint32, "\x04\x00\x00\x01"},
		{qsocket.Uint32, "\x7f\xff\xff\xff"},
		{qsocket.Uint32, "\xff\xff\xff\xff"},
		{qsocket.Uint32LE, "\x01\x00\x00\x04"},
		{qsocket.Uint32LE, "\xff\xff\xff\xff"},
		{qsocket.Uvarint, "\x81\x80\x80\x20"},
		{qsocket.Uvarint, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"},
		{qsocket.Netstring, "67108865:"},
		{qsocket.Netstring, "9999999999:"},
	} {
		p := testkit.Text
		p.Framing = test.framing
		nc, peer := testkit.NetPair(t, "tcp")
		c, err := qsocket.NewConn(t.Context(), nc, p, opts)
		if err != nil {
			t.Fatal(err)
		}
		try(t, c, peer, test.header)
	}
	for _, header := range []string{"\x04\x00\x00\x01", "\x7f\xff\xff\xff", "\xff\xff\xff\xff", "\x80\x00\x10\x01"} {
		c, s := testkit.Scripted(t, opts)
		try(t, c, s, header)
	}
	t.Logf("13 headers that announce more than MaxFrame: refused without a byte of payload, at most %d bytes allocated", worst)
}
