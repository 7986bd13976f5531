package qsocket_test

import (
	"encoding/binary"
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
