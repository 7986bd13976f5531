package wire

import (
	"context"
	"errors"
	"io"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// The table of docs/wire.md on how connections end is what the library does, in
// every row, and it has all rows.
func TestWireDocumentEnd(t *testing.T) {
	page, _ := wireDocument(t)
	words := map[string]string{
		"–": "", "message": "00000001 61", "confirm": testkit.GoldenConfirm, "half goodbye": testkit.GoldenHalf, "full goodbye": testkit.GoldenFull,
		"full": testkit.GoldenFull, "confirm, full": testkit.GoldenConfirm + testkit.GoldenFull,
		"full, 3": "80000033 01 83 a6 726561736f6e bd 6279746573207468617420617265206e6f206c6567616c206672616d65 a4 66756c6c c3 a4 636f6465 03",
	}
	rows := regexp.MustCompile(`(?m)^\| (nothing|half|full) \| (nothing|half|full) \| ([^|]*) \| ([^|]*) \| ([^|]*) \|$`).FindAllStringSubmatch(page, -1)
	seen := make(map[string]bool)
	for _, row := range rows {
		said, heard, comes, send, then := row[1], row[2], row[3], row[4], row[5]
		name := strings.Join([]string{said, heard, comes}, ", ")
		seen[name] = true
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				nc, peer := qsockettest.NetPipe()
				defer peer.Close()
				var e eavesdropper
				go e.listen(peer) // until the Conn or peer is closed
				s := testkit.WirePeer{T: t, Conn: peer}
				s.Send(testkit.GoldenHello)
				c, err := qsocket.NewConn(context.Background(), nc, testkit.Named, nil)
				if err != nil {
					t.Fatal(err)
				}
				defer testkit.End(c)
				done := c.Done()
				switch said {
				case "half":
					err = c.CloseWrite()
				case "full":
					err = c.Close()
				}
				if err != nil {
					t.Error(err)
				}
				switch heard {
				case "half":
					s.Send(testkit.GoldenHalf)
				case "full":
					if said == "half" { // else the answer would be a full goodbye
						s.Send(testkit.GoldenHalf)
					}
					s.Send(testkit.GoldenFull)
				}
				_, eof := e.take() // what was said to get there
				before := state(done, eof, c.Err())

				s.Send(testkit.GoldenHeartbeat + "80000003 ff 0102") // change nothing
				got, eof := e.take()
				if after := state(done, eof, c.Err()); len(got) > 0 || after != before {
					t.Errorf("after a heartbeat and an extension: sent % x, %s, want %s", got, after, before)
				}

				if comes == "FIN" {
					peer.CloseWrite()
				} else {
					s.Send(words[comes])
				}
				got, eof = e.take()
				if want, known := words[send]; !known || string(got) != string(testkit.Unhex(want)) {
					t.Errorf("sent % x, want %s: %s", got, send, want)
				}
				if got := state(done, eof, c.Err()); got != then {
					t.Errorf("then: got %s, want %s (%v, %v)", got, then, eof, c.Err())
				}
			})
		})
	}
	// With a full goodbye heard, there is no row in which nothing was said: the answer says it.
	if len(rows) != 40 || len(seen) != 40 {
		t.Errorf("got %d rows, %d of them different, want (3 × 2 + 2) × 5", len(rows), len(seen))
	}
}

// state names what a Conn is in, as the table does. eof is what its peer reads.
func state(done <-chan struct{}, eof, err error) string {
	over := false
	select {
	case <-done:
		over = true
	default:
	}
	failed := errors.Is(eof, syscall.ECONNRESET) || eof == io.EOF // which the peer has read before
	switch {
	case !over && eof == nil && err == nil:
		return "open"
	case !over && eof == io.EOF && err == nil:
		return "FIN"
	case over && eof == io.EOF && err == nil:
		return "over"
	case over && failed && errors.Is(err, qsocket.ErrProtocol):
		return "violation"
	case over && failed && errors.Is(err, io.ErrUnexpectedEOF):
		return "torn"
	}
	return "something else"
}

// Behind half a goodbye, too, the peer is told what it has done wrong.
func TestWireDocumentViolationAfterHalf(t *testing.T) {
	for _, test := range []struct {
		name, words string
		code        qsocket.Code
	}{
		{"a reserved kind", "80000001 07", qsocket.CodeProtocol},
		{"a control frame of no bytes", "80000000", qsocket.CodeProtocol},
		{"a message that is too large", "7fffffff", qsocket.CodeTooLarge},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				nc, peer := qsockettest.NetPipe()
				defer peer.Close()
				var e eavesdropper
				go e.listen(peer) // until the Conn or peer is closed
				s := testkit.WirePeer{T: t, Conn: peer}
				s.Send(testkit.GoldenHello)
				c, err := qsocket.NewConn(context.Background(), nc, testkit.Named, nil)
				if err != nil {
					t.Fatal(err)
				}
				defer testkit.End(c)
				c.Messages()
				if err := c.CloseWrite(); err != nil {
					t.Error(err)
				}
				e.take()
				s.Send(test.words)
				said, end := e.take()
				if g, err := goodbyeOf(said); err != nil || !g.Full || qsocket.Code(g.Code) != test.code || end != io.EOF {
					t.Errorf("the peer was told %+v (%v) and then %v, want a full goodbye with the code %v", g, err, end, test.code)
				}
			})
		})
	}
}
