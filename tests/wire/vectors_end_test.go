package wire

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// A controlVector is a control frame that is legal, and what it says.
type controlVector struct {
	Name   string `json:"name"`
	Hex    string `json:"hex"`
	Kind   string `json:"kind"`
	Reason string `json:"reason,omitempty"`
	Full   bool   `json:"full,omitempty"`
	Code   int    `json:"code,omitempty"`
}

func controlVectors(t *testing.T) (list []controlVector) {
	page, blocks := wireDocument(t)
	add := func(name, kind string, b []byte) {
		c := controlVector{Name: name, Hex: hex.EncodeToString(b), Kind: kind}
		if kind == "goodbye" {
			g, err := goodbyeOf(b)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			c.Reason, c.Full, c.Code = g.Reason, g.Full, int(g.Code)
		}
		switch kind {
		case "heartbeat", "going away", "admitted", "extension":
			harmless(t, name, b)
		}
		list = append(list, c)
	}
	for _, name := range regexp.MustCompile("```hex (\\S+)").FindAllStringSubmatch(page, -1) {
		kind, ok := map[string]string{
			"heartbeat": "heartbeat", "confirm": "confirm", "going-away": "going away", "admitted": "admitted", "ack": "ack", "ask": "ask",
			"goodbye-half": "goodbye", "goodbye-full": "goodbye", "goodbye-reason": "goodbye", "goodbye-code": "goodbye",
			"refused": "goodbye", "refusal": "goodbye", "full": "goodbye",
		}[name[1]]
		if ok {
			add(name[1], kind, hexOf(t, blocks[name[1]]))
		}
	}
	for _, g := range testkit.Goodbyes {
		if g.Want == "" {
			add("goodbye: "+g.Name, "goodbye", goodbyeFrame(g.Bytes))
		}
	}
	add("going away: keys that it does not have", "going away", testkit.Unhex("8000000e 81 82 a466756c6c 05 a4636f6465 c3"))
	add("an extension without a body", "extension", testkit.Unhex("80000001 83"))
	add("an extension as long as may be", "extension", testkit.Unhex("80001000 ff"+strings.Repeat("00", 4095)))
	return list
}

// harmless fails the test if a frame is not one behind which messages go on.
func harmless(t *testing.T, name string, b []byte) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		nc, peer := qsockettest.NetPipe()
		defer peer.Close()
		go io.Copy(io.Discard, peer) // until the Conn or peer is closed
		if _, err := peer.Write(slices.Concat(testkit.Unhex(testkit.GoldenHello), b, []byte("\x00\x00\x00\x01a"))); err != nil {
			t.Fatal(err)
		}
		c, err := qsocket.NewConn(t.Context(), nc, testkit.Named, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer testkit.End(c)
		if m, err := c.Recv(t.Context()); m != "a" || err != nil {
			t.Errorf("%s: got %q, %v", name, m, err)
		}
	})
}

func goodbyeFrame(body string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, 1<<31|uint32(len(body)+1)), "\x01"+body...)
}

// A violationVector is what must not come behind the hello.
type violationVector struct {
	Name    string `json:"name"`
	Hex     string `json:"hex"`
	Cut     bool   `json:"cut,omitempty"`
	Outcome string `json:"outcome"`        // "violation", "too large", "torn", or "clean" where it comes too late to matter
	Code    int    `json:"code,omitempty"` // of the goodbye that the peer gets
}

func violationVectors(t *testing.T) (list []violationVector) {
	add := func(name string, b []byte, cut bool) {
		v := violationVector{Name: name, Hex: hex.EncodeToString(b), Cut: cut}
		synctest.Test(t, func(t *testing.T) {
			nc, peer := qsockettest.NetPipe()
			defer peer.Close()
			var e eavesdropper
			go e.listen(peer) // until the Conn or peer is closed
			if _, err := peer.Write(testkit.Unhex(testkit.GoldenHello)); err != nil {
				t.Fatal(err)
			}
			c, err := qsocket.NewConn(context.Background(), nc, testkit.Named, nil)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			defer testkit.End(c)
			e.take() // the hello
			if _, err := peer.Write(b); err != nil {
				t.Fatal(err)
			}
			if cut {
				peer.CloseWrite()
			}
			c.Messages()
			said, _ := e.take()
			peer.CloseWrite() // what comes too late to matter has been said
			for range c.Messages() {
			}
			for len(said) > 4 {
				n := 4 + int(binary.BigEndian.Uint32(said)&(1<<31-1))
				if g, err := goodbyeOf(said[:n]); err == nil {
					v.Code = int(g.Code)
				}
				said = said[n:]
			}
			switch err := c.Err(); {
			case err == nil:
				v.Outcome = "clean"
			case errors.Is(err, qsocket.ErrFrameTooLarge):
				v.Outcome = "too large"
			case errors.Is(err, qsocket.ErrProtocol):
				v.Outcome = "violation"
			case errors.Is(err, io.ErrUnexpectedEOF):
				v.Outcome = "torn"
			default:
				t.Errorf("%s: %v", name, err)
			}
		})
		list = append(list, v)
	}
	for _, c := range testkit.Violations {
		add(c.Name, testkit.Unhex(c.Bytes), c.Want == "")
	}
	for _, g := range testkit.Goodbyes {
		if g.Want != "" {
			add("goodbye: "+g.Name, goodbyeFrame(g.Bytes), false)
		}
	}
	add("going away: nil", testkit.Unhex("80000002 81 c0"), false)
	add("going away: a reason that is a number", testkit.Unhex("8000000a 81 81 a6726561736f6e 05"), false)
	add("the end without a goodbye", nil, true)
	add("the end inside a header", testkit.Unhex("000000"), true)
	add("the end inside a message", testkit.Unhex("00000002 61"), true)
	add("the end inside a control frame", testkit.Unhex("80000002 01"), true)
	return list
}

// An endVector is a row of the table in docs/wire.md, which TestWireDocumentEnd compares with
// the library, with the bytes.
type endVector struct {
	Said  string `json:"said"`
	Heard string `json:"heard"`
	Comes string `json:"comes"`
	Hex   string `json:"hex"`
	Sends string `json:"sends"`
	Then  string `json:"then"`
}

func endVectors(t *testing.T) (list []endVector) {
	page, _ := wireDocument(t)
	comes := map[string]string{"message": "00000001 61", "half goodbye": testkit.GoldenHalf, "full goodbye": testkit.GoldenFull, "confirm": testkit.GoldenConfirm, "FIN": ""}
	for _, row := range regexp.MustCompile(`(?m)^\| (nothing|half|full) \| (nothing|half|full) \| ([^|]*) \| ([^|]*) \| ([^|]*) \|$`).FindAllStringSubmatch(page, -1) {
		sends := row[4]
		if sends == "–" {
			sends = ""
		}
		list = append(list, endVector{row[1], row[2], row[3], hex.EncodeToString(testkit.Unhex(comes[row[3]])), sends, row[5]})
	}
	return list
}
