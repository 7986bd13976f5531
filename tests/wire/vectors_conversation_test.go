package wire

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// A conversationVector is all that two ends of ticks/1 say to each other, from the hellos to the end.
type conversationVector struct {
	Name    string       `json:"name"`
	Outcome string       `json:"outcome"` // for the client: "clean", "refused", "remote", "violation"
	Steps   []saidVector `json:"steps"`
}

// A saidVector is what one end says, and what its program does for that, if anything.
type saidVector struct {
	From string `json:"from"` // "client" or "server"
	Does string `json:"does,omitempty"`
	Hex  string `json:"hex"`
}

// A talk is a conversation that is played. The library is the server.
type talk struct {
	t     *testing.T
	peer  io.Writer
	e     *eavesdropper
	steps []saidVector
}

// client says this.
func (k *talk) client(does, words string) {
	k.t.Helper()
	b := testkit.Unhex(words)
	k.steps = append(k.steps, saidVector{"client", does, hex.EncodeToString(b)})
	if _, err := k.peer.Write(b); err != nil {
		k.t.Error(err)
	}
	k.server("")
}

// server notes what the library has said since.
func (k *talk) server(does string) {
	k.t.Helper()
	if said, _ := k.e.take(); len(said) > 0 || does != "" {
		k.steps = append(k.steps, saidVector{"server", does, hex.EncodeToString(said)})
	}
}

const (
	clientHello = "51534b01 00000026 83 a570726f746f a77469636b732f31 a5636f646563 a76d73677061636b a36d6178 ce00100000"
	tickFrame   = "0000001b 82 a653796d626f6c a3414243 a55072696365 cb4059600000000000"
)

func conversationVectors(t *testing.T) (list []conversationVector) {
	confirm, half, full := testkit.GoldenConfirm, testkit.GoldenHalf, testkit.GoldenFull
	ctx := context.Background()
	echo := func(c *qsocket.Conn[Tick]) error {
		testkit.Echo(ctx, c)
		return c.Shutdown(ctx)
	}
	for _, c := range []struct {
		name, outcome string
		opts          *qsocket.Options
		serve         func(*qsocket.Conn[Tick]) error // in the end, when the client has said what it says first; nil: the handshake fails
		play          func(k *talk, c *qsocket.Conn[Tick])
	}{
		{name: "the client finishes first", outcome: "clean", serve: echo, play: func(k *talk, _ *qsocket.Conn[Tick]) {
			k.client("send", tickFrame)
			k.client("finish", half)
			k.client("", confirm+full)
		}},
		{name: "the client closes", outcome: "clean", serve: echo, play: func(k *talk, _ *qsocket.Conn[Tick]) {
			k.client("send", tickFrame)
			k.client("close", full)
			k.client("", confirm)
		}},
		{name: "the server finishes first", outcome: "clean", play: func(k *talk, c *qsocket.Conn[Tick]) {
			c.Messages()
			try(k.t, c.Send(ctx, tick), c.CloseWrite())
			k.server("send and finish")
			k.client("", confirm)
			k.client("send", tickFrame)
			k.client("close", full)
		}},
		{name: "the server closes", outcome: "clean", play: func(k *talk, c *qsocket.Conn[Tick]) {
			try(k.t, c.Send(ctx, tick), c.Close())
			k.server("send and close")
			k.client("", confirm+full)
		}},
		{name: "goodbyes cross", outcome: "clean", play: func(k *talk, c *qsocket.Conn[Tick]) {
			try(k.t, c.Close())
			k.client("close", full)
			k.client("", confirm)
		}},
		{name: "half goodbyes cross", outcome: "clean", play: func(k *talk, c *qsocket.Conn[Tick]) {
			c.Messages()
			try(k.t, c.CloseWrite())
			k.client("finish", half)
			k.client("", confirm)
		}},
		{name: "the server closes with a reason", outcome: "remote", play: func(k *talk, c *qsocket.Conn[Tick]) {
			try(k.t, c.CloseWithCode(1000, "no space"))
			k.server("close with the code 1000")
			k.client("", confirm+full)
		}},
		{name: "the client closes with a reason", outcome: "clean", play: func(k *talk, c *qsocket.Conn[Tick]) {
			c.Messages()
			k.client("close with the code 1000", "80000020 01 83 a6726561736f6e a86e6f207370616365 a466756c6c c3 a4636f6465 cd03e8")
			k.client("", confirm)
		}},
		{name: "heartbeats, an extension and a going away among messages", outcome: "clean", serve: echo, play: func(k *talk, _ *qsocket.Conn[Tick]) {
			k.client("send a heartbeat", testkit.GoldenHeartbeat)
			k.client("send", tickFrame)
			k.client("send an extension", "80000003 ff 0102")
			k.client("send a going away", "80000002 81 80")
			k.client("send", tickFrame)
			k.client("finish", half)
			k.client("", confirm+full)
		}},
		{name: "a message that is no tick", outcome: "remote", serve: echo, play: func(k *talk, _ *qsocket.Conn[Tick]) {
			k.client("send what is no tick", "00000001 05")
		}},
		{name: "a message that is too long", outcome: "remote", opts: &qsocket.Options{MaxFrame: 27}, serve: echo, play: func(k *talk, _ *qsocket.Conn[Tick]) {
			k.client("send", tickFrame)
			k.client("send what is too long", "0000001c")
		}},
		{name: "a confirm before a goodbye", outcome: "remote", serve: echo, play: func(k *talk, _ *qsocket.Conn[Tick]) {
			k.client("say what is a violation", confirm)
		}},
		{name: "the server admits", outcome: "clean", opts: admitting(""), serve: echo, play: func(k *talk, _ *qsocket.Conn[Tick]) {
			k.client("send", tickFrame)
			k.client("close", full)
			k.client("", confirm)
		}},
		{name: "the server does not admit", outcome: "refused", opts: admitting("no such token")},
	} {
		v := conversationVector{Name: c.name, Outcome: c.outcome}
		synctest.Test(t, func(t *testing.T) {
			nc, peer := qsockettest.NetPipe()
			defer peer.Close()
			k := &talk{t: t, peer: peer, e: new(eavesdropper)}
			go k.e.listen(peer) // until the Conn or peer is closed
			made := testkit.Async(func() *qsocket.Conn[Tick] {
				conn, err := qsocket.NewConn(ctx, nc, ticks, c.opts)
				if (err == nil) != (c.play != nil) {
					t.Errorf("%s: NewConn: %v", c.name, err)
				}
				return conn
			})
			k.server("")
			k.client("", clientHello)
			if c.play != nil {
				conn := <-made
				defer testkit.End(conn)
				if c.serve != nil {
					go c.serve(conn) // until the client has ended
				}
				k.server("")
				c.play(k, conn)
			}
			peer.CloseWrite()
			k.server("")
			v.Steps = k.steps
		})
		list = append(list, v)
	}
	refused := conversationVector{Name: "another version of the protocol", Outcome: "refused"}
	synctest.Test(t, func(t *testing.T) {
		nc, peer := qsockettest.NetPipe()
		defer peer.Close()
		k := &talk{t: t, peer: peer, e: new(eavesdropper)}
		go k.e.listen(peer) // until the Conn or peer is closed
		failed := testkit.Async(func() error { _, err := qsocket.NewConn(ctx, nc, ticks, nil); return err })
		k.server("")
		k.client("", strings.Replace(clientHello, "732f31", "732f32", 1))
		peer.CloseWrite()
		var he *qsocket.HandshakeError
		if err := <-failed; !errors.As(err, &he) || he.Field != "proto" {
			t.Errorf("got %v, want another proto", err)
		}
		refused.Steps = k.steps
	})
	return append(list, refused)
}

// try fails the test for each error.
func try(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
}
