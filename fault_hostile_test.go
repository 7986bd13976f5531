package qsocket_test

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
)

// TestFault01MsgpackCorpus sends everything in testdata/hostile/msgpack to servers for
// three types of messages. Each payload ends its own connection with a clear error,
// or is harmless to a type for which the file says so.
//
//	go test -run TestFault01MsgpackCorpus -v .    what each was told, and what it cost
func TestFault01MsgpackCorpus(t *testing.T) {
	fault(t)
	cases, err := readMsgpackCases("testdata/hostile/msgpack/corpus.txt")
	if err != nil {
		t.Fatal(err)
	}
	runHostile(t, cases, []hostileServer{
		newHostileServer("any", qsocket.Msgpack[any](), any("good")),
		newHostileServer("struct", qsocket.Msgpack[mpStruct](), mpStruct{S: "good", T: time.Unix(1, 0)}),
		newHostileServer("tree", qsocket.Msgpack[mpTree](), mpTree{S: "good"}),
	})
}

// TestFault02GobCorpus sends everything in testdata/hostile/gob to servers for three
// types of messages. Each payload must be an error to them and to nobody else.
//
//	go test -run TestFault02GobCorpus -v .    what each was told, and what it cost
func TestFault02GobCorpus(t *testing.T) {
	fault(t)
	cases, err := readHostileCases("testdata/hostile/gob/cases.txt")
	if err != nil {
		t.Fatal(err)
	}
	runHostile(t, cases, []hostileServer{
		newHostileServer("any", qsocket.Gob[any](), any("good")),
		newHostileServer("struct", qsocket.Gob[hostileStruct](), hostileStruct{A: 1}),
		newHostileServer("recursive", qsocket.Gob[hostileNode](), hostileNode{Next: &hostileNode{Name: "good"}}),
	})
}

// A peer that announces a large frame and sends little of it makes us hold
// little: buffers grow as bytes arrive, not as they are announced.
func TestFault04LyingLengths(t *testing.T) {
	fault(t)
	const peers, limit = 200, 16 << 10
	ctx := testContext(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	before := liveHeap()
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
		c, err := qsocket.NewConn(ctx, nc, raw, &qsocket.Options{MaxFrame: 64 << 20})
		if err != nil {
			t.Fatal(err)
		}
		defer end(c)
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
	got := heapPer(peers, before)
	t.Logf("%d peers that announced 64 MiB and sent 1 KiB cost %d bytes each", peers, got)
	if got > limit {
		t.Errorf("%d bytes for each lying peer, want at most %d", got, limit)
	}
}

// A length above MaxFrame is refused as soon as the header has come, and costs
// no memory but that of the read.
func TestFault05LengthAboveMaxFrame(t *testing.T) {
	fault(t)
	const maxFrame = 64 << 20
	const limit = 128 << 10 // a read may take a buffer of 64 KiB before it knows what comes
	worst := uint64(0)
	try := func(t *testing.T, c *qsocket.Conn[string], peer io.Writer, header string) {
		ctx := testContext(t)
		var err error
		allocated := fuzzAllocated(func() {
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
		waitClosed(t, "Done", c.Done())
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
		p := text
		p.Framing = test.framing
		nc, peer := netPair(t, "tcp")
		c, err := qsocket.NewConn(t.Context(), nc, p, opts)
		if err != nil {
			t.Fatal(err)
		}
		try(t, c, peer, test.header)
	}
	for _, header := range []string{"\x04\x00\x00\x01", "\x7f\xff\xff\xff", "\xff\xff\xff\xff", "\x80\x00\x10\x01"} {
		c, s := scripted(t, opts)
		try(t, c, s, header)
	}
	t.Logf("13 headers that announce more than MaxFrame: refused without a byte of payload, at most %d bytes allocated", worst)
}
