package wire

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/schema"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/internal/wire"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// Tick is the message of docs/wire.md.
type Tick struct {
	Symbol string
	Price  float64
}

func (Tick) isTagged() {}

// tagged is a sum type with a Tick in it.
type tagged interface{ isTagged() }

var (
	ticks = qsocket.Protocol[Tick]{Name: "ticks/1"}
	tick  = Tick{"ABC", 101.5}
)

// wireDocument returns the page, and its blocks of hex by their names.
func wireDocument(t *testing.T) (page string, blocks map[string]string) {
	t.Helper()
	b, err := os.ReadFile("../../docs/wire.md")
	if err != nil {
		t.Fatal(err)
	}
	page = strings.ReplaceAll(string(b), "\r\n", "\n")
	blocks = make(map[string]string)
	for _, m := range regexp.MustCompile("(?s)```hex (\\S+)\n(.*?)\n```").FindAllStringSubmatch(page, -1) {
		if _, twice := blocks[m[1]]; twice {
			t.Errorf("the block %s is there twice", m[1])
		}
		blocks[m[1]] = m[2]
	}
	return page, blocks
}

// hexPairs matches the bytes of a line: pairs of digits with one or two spaces
// between them. A remark stands further to the right.
var hexPairs = regexp.MustCompile(`^[0-9a-f]{2}( {1,2}[0-9a-f]{2})*( {3,}|$)`)

// hexOf returns the bytes of a block.
func hexOf(t *testing.T, block string) (b []byte) {
	t.Helper()
	for line := range strings.SplitSeq(block, "\n") {
		digits := hexPairs.FindString(line)
		if digits == "" {
			t.Errorf("want a line of hex, got %q", line)
		}
		b = append(b, testkit.Unhex(digits)...)
	}
	return b
}

// eavesdropper collects what a Conn sends.
type eavesdropper struct {
	mu    sync.Mutex
	words []byte
	end   error // of the reading
}

// listen reads until the end.
func (e *eavesdropper) listen(r io.Reader) {
	for {
		var b [512]byte
		n, err := r.Read(b[:])
		e.mu.Lock()
		e.words, e.end = append(e.words, b[:n]...), err
		e.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// take waits until nothing moves and returns what has come since the last call,
// and the end if there was one.
func (e *eavesdropper) take() (words []byte, end error) {
	synctest.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	words, e.words = e.words, nil
	return words, e.end
}

// overheard returns what a Conn sends to a peer that begins with hello. With a nil
// do the hello is refused.
func overheard[T any](t *testing.T, p qsocket.Protocol[T], hello []byte, do func(c *qsocket.Conn[T], peer testkit.WirePeer) error) (words []byte) {
	t.Helper()
	return overheardWith(t, p, nil, hello, do)
}

func overheardWith[T any](t *testing.T, p qsocket.Protocol[T], opts *qsocket.Options, hello []byte, do func(c *qsocket.Conn[T], peer testkit.WirePeer) error) (words []byte) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		nc, peer := qsockettest.NetPipe()
		defer peer.Close()
		var e eavesdropper
		go e.listen(peer) // until the Conn or peer is closed
		s := testkit.WirePeer{T: t, Conn: peer}
		if _, err := s.Write(hello); err != nil {
			t.Fatal(err)
		}
		c, err := qsocket.NewConn(context.Background(), nc, p, opts)
		if (err == nil) != (do != nil) {
			t.Errorf("NewConn: %v", err)
		}
		if err == nil {
			defer testkit.End(c)
			if err := do(c, s); err != nil {
				t.Error(err)
			}
		}
		words, _ = e.take()
	})
	return words
}

// drained returns what a server sends that drains, up to the end of that, to a peer that
// begins with hello.
func drained[T any](t *testing.T, p qsocket.Protocol[T], hello []byte, reason string) (words []byte) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		nc, peer := qsockettest.NetPipe()
		defer peer.Close()
		var e eavesdropper
		go e.listen(peer) // until the Conn or peer is closed
		if _, err := peer.Write(hello); err != nil {
			t.Fatal(err)
		}
		ln, err := qsocket.NewListener(testkit.OneConn(nc), p, nil)
		if err != nil {
			t.Fatal(err)
		}
		c, err := ln.Accept(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		draining := testkit.Async(func() error { return ln.Drain(ctx, reason) })
		words, _ = e.take()
		cancel()
		testkit.End(c)
		if err := <-draining; !errors.Is(err, context.Canceled) {
			t.Errorf("Drain: got %v, want that of its ctx", err)
		}
	})
	return words
}

// Every block of hex in docs/wire.md is what the library sends.
func TestWireDocument(t *testing.T) {
	_, blocks := wireDocument(t)
	hello := hexOf(t, blocks["hello"])
	shortHello := hexOf(t, blocks["peer-hello"])
	after := func(do func(c *qsocket.Conn[Tick], peer testkit.WirePeer) error) []byte {
		return bytes.TrimPrefix(overheard(t, ticks, hello, do), hello)
	}
	nothing := func(*qsocket.Conn[Tick], testkit.WirePeer) error { return nil }
	refused := bytes.Replace(shortHello, []byte("ticks/1"), []byte("ticks/2"), 1)
	otherText := bytes.ReplaceAll(hexOf(t, blocks["description"]), []byte("Tick"), []byte("Tock")) // the same, under another name
	otherTypes := bytes.Replace(hello, []byte("440c720ddce9b003c225823873e58b5a"), []byte(schema.Fingerprint(string(otherText[5:]))), 1)
	otherTypes = append(otherTypes, otherText...)
	frame := func(f qsocket.Framing) []byte {
		return overheard(t, qsocket.Protocol[string]{Codec: testkit.TextCodec, Framing: f}, nil,
			func(c *qsocket.Conn[string], _ testkit.WirePeer) error { return c.Send(context.Background(), "hello") })
	}
	asking := admitting("")
	asking.Attributes = func(context.Context) (map[string]string, error) {
		return map[string]string{"token": "xy", "tenant": "north"}, nil
	}
	admits := overheardWith(t, ticks, admitting(""), hello, nothing)
	verdict := func(all []byte) []byte { // what follows the hello
		return all[len(hello)+len("\xa3adm\xc3"):]
	}
	want := map[string][]byte{
		"hello-attributes": bytes.TrimSuffix(overheardWith(t, ticks, asking, hello, nothing), hexOf(t, blocks["admitted"])),
		"admitted":         verdict(admits),
		"refused":          verdict(overheardWith(t, ticks, admitting("no such token"), hello, nil)),
		"full":             verdict(overheardFull(t, hello)),
		"hello":            overheard(t, ticks, shortHello, nothing),
		"refusal":          bytes.TrimPrefix(overheard(t, ticks, refused, nil), hello),
		"description":      bytes.TrimPrefix(overheard(t, ticks, otherTypes, nothing), hello),
		"message": after(func(c *qsocket.Conn[Tick], _ testkit.WirePeer) error {
			return c.Send(context.Background(), tick)
		}),
		"goodbye-half": after(func(c *qsocket.Conn[Tick], _ testkit.WirePeer) error { return c.CloseWrite() }),
		"goodbye-full": after(func(c *qsocket.Conn[Tick], _ testkit.WirePeer) error { return c.Close() }),
		"goodbye-reason": after(func(c *qsocket.Conn[Tick], _ testkit.WirePeer) error {
			return c.CloseWithReason("maintenance")
		}),
		"goodbye-code": after(func(c *qsocket.Conn[Tick], _ testkit.WirePeer) error {
			return c.CloseWithCode(1000, "no space")
		}),
		"going-away": bytes.TrimPrefix(drained(t, ticks, hello, "maintenance"), hello),
		"heartbeat": after(func(*qsocket.Conn[Tick], testkit.WirePeer) error {
			time.Sleep(15 * time.Second * 3 / 4)
			return nil
		}),
		"confirm": after(func(c *qsocket.Conn[Tick], peer testkit.WirePeer) error {
			c.Messages()
			_, err := peer.Write(hexOf(t, blocks["goodbye-half"]))
			return err
		}),
		"ack":                    wire.AppendAck(nil, 3),
		"ask":                    wire.AskFrame,
		"payload-msgpack-arrays": encoded(t, qsocket.Msgpack[Tick](qsocket.ArrayEncodedStructs()), tick),
		"payload-json":           encoded(t, qsocket.JSON[Tick](), tick),
		"payload-union-1":        encoded(t, qsocket.Union(qsocket.Case[tagged](1, qsocket.Msgpack[Tick]())), tagged(tick)),
		"payload-union-300":      encoded(t, qsocket.Union(qsocket.Case[tagged](300, qsocket.Msgpack[Tick]())), tagged(tick)),
	}
	for _, f := range []qsocket.Framing{qsocket.Uint32, qsocket.Uint16, qsocket.Uint8, qsocket.Uint32LE, qsocket.Uvarint, qsocket.Netstring} {
		want["frame-"+f.String()] = frame(f)
	}
	for name, want := range want {
		if got := hexOf(t, blocks[name]); !bytes.Equal(got, want) {
			t.Errorf("the block %s says\n% x\nwant\n% x\n%q", name, got, want, want)
		}
	}
	for name := range blocks {
		if want[name] == nil && name != "peer-hello" && name != "conversation" {
			t.Errorf("the block %s is not tested", name)
		}
	}
}

// overheardFull returns what a Listener at its MaxConns says.
func overheardFull(t *testing.T, hello []byte) []byte {
	t.Helper()
	ln := testkit.ListenOn(t, "tcp", ticks, &qsocket.Options{MaxConns: 1})
	testkit.DialTo(t, "tcp", ln, ticks)
	nc := testkit.NetDial(t, ln)
	if _, err := nc.Write(hello); err != nil {
		t.Fatal(err)
	}
	words, err := io.ReadAll(nc)
	if err != nil {
		t.Error(err)
	}
	return words
}

func encoded[T any](t *testing.T, codec qsocket.Codec[T], v T) []byte {
	t.Helper()
	b, err := codec.NewEncoder().Append(nil, v)
	if err != nil {
		t.Error(err)
	}
	return b
}

// The server of the conversation in docs/wire.md says what it says there.
func TestWireDocumentConversation(t *testing.T) {
	_, blocks := wireDocument(t)
	synctest.Test(t, func(t *testing.T) {
		nc, peer := qsockettest.NetPipe()
		defer peer.Close()
		var e eavesdropper
		go e.listen(peer) // until the server closes
		served := testkit.Async(func() error {
			c, err := qsocket.NewConn(context.Background(), nc, ticks, nil)
			if err != nil {
				return err
			}
			for m := range c.Messages() {
				m.Price *= 2
				if err := c.Send(context.Background(), m); err != nil {
					return err
				}
			}
			return c.Shutdown(context.Background())
		})
		want := hexOf(t, blocks["hello"])
		var got []byte
		for line := range strings.SplitSeq(blocks["conversation"], "\n") {
			who, words, _ := strings.Cut(line, " ")
			switch who {
			case "C":
				words, _ := e.take()
				got = append(got, words...)
				if _, err := peer.Write(hexOf(t, line[2:])); err != nil {
					t.Fatal(err)
				}
			case "S":
				want = append(want, hexOf(t, words)...)
			default:
				t.Errorf("want a line of C or S, got %q", line)
			}
		}
		peer.CloseWrite()
		last, end := e.take()
		got = append(got, last...)
		if !bytes.Equal(got, want) || end != io.EOF {
			t.Errorf("S said\n% x, %v\nwant\n% x, EOF", got, end, want)
		}
		if err := <-served; err != nil {
			t.Errorf("S: %v", err)
		}
	})
}
