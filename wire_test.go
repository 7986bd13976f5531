package qsocket_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
)

// The bytes of named mode, as a peer in another language would write them. If
// one of these constants has to change, old peers are lost.
const (
	goldenHello = "51534b01 00000030" + // "QSK", version 1, 48 bytes
		"85" + // a map of five
		"a5 70726f746f a6 746578742f31" + // proto: text/1
		"a5 636f646563 a4 74657874" + // codec: text
		"a3 6d6178 ce00100000" + // max: 1 MiB
		"a2 6862 cd3a98" + // hb: 15,000 ms
		"a2 6e6c a4 0d0a0d0a" // nl: two ends of line

	goldenHalf      = "80000002 01 80"                                                          // goodbye {}
	goldenFull      = "80000008 01 81 a4 66756c6c c3"                                           // goodbye {full: true}
	goldenReason    = "8000001b 01 82 a6 726561736f6e ab 6d61696e74656e616e6365 a4 66756c6c c3" // goodbye {reason: maintenance, full: true}
	goldenHeartbeat = "80000001 02"
	goldenConfirm   = "80000001 03"
)

// unhex returns the bytes of hex digits with spaces between them.
func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// A wirePeer is the other end of a named Conn, byte by byte.
type wirePeer struct {
	t testing.TB
	net.Conn
}

// scripted returns a Conn that has shaken hands with a wirePeer.
func scripted(t testing.TB, opts *qsocket.Options) (*qsocket.Conn[string], wirePeer) {
	t.Helper()
	nc, peer := netPair(t, "tcp")
	s := wirePeer{t, peer}
	made := make(chan *qsocket.Conn[string], 1)
	go func() {
		c, err := qsocket.NewConn(context.Background(), nc, named, opts)
		if err != nil {
			t.Error(err)
		}
		made <- c
	}()
	s.expectHello()
	s.send(goldenHello)
	c := result(t, "the handshake", made)
	if c == nil {
		t.FailNow()
	}
	t.Cleanup(func() { end(c) })
	return c, s
}

func (s wirePeer) send(words string) {
	s.t.Helper()
	if _, err := s.Write(unhex(words)); err != nil {
		s.t.Errorf("write: %v", err)
	}
}

func (s wirePeer) expect(words string) {
	s.t.Helper()
	want := unhex(words)
	got := make([]byte, len(want))
	_ = s.SetReadDeadline(time.Now().Add(testTimeout))
	n, err := io.ReadFull(s, got)
	if err != nil || !bytes.Equal(got, want) {
		s.t.Errorf("read % x, %v\nwant % x", got[:n], err, want)
	}
}

func (s wirePeer) expectHello() {
	s.t.Helper()
	header := make([]byte, 8)
	_ = s.SetReadDeadline(time.Now().Add(testTimeout))
	if _, err := io.ReadFull(s, header); err != nil {
		s.t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, s, int64(header[6])<<8|int64(header[7])); err != nil {
		s.t.Fatal(err)
	}
}

func (s wirePeer) expectEOF() {
	s.t.Helper()
	_ = s.SetReadDeadline(time.Now().Add(testTimeout))
	if n, err := s.Read(make([]byte, 1)); err != io.EOF {
		s.t.Errorf("read %d bytes, %v, want EOF", n, err)
	}
}

func TestGoldenHello(t *testing.T) {
	nc, peer := netPair(t, "tcp")
	s := wirePeer{t, peer}
	failed := async(func() error { _, err := qsocket.NewConn(context.Background(), nc, named, nil); return err })
	s.expect(goldenHello)
	s.Close()
	if err := result(t, "NewConn", failed); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v, want io.ErrUnexpectedEOF", err)
	}
}

// The talk at the end, in each of the ways it can go.
func TestGoldenParting(t *testing.T) {
	ctx := testContext(t)
	t.Run("we close", func(t *testing.T) {
		c, s := scripted(t, nil)
		if err := c.Send(ctx, "hi"); err != nil {
			t.Fatal(err)
		}
		closed := async(c.Close)
		s.expect("00000002 6869" + goldenFull)
		s.send(goldenConfirm + goldenFull)
		s.expect(goldenConfirm)
		s.expectEOF()
		s.Close()
		if err := result(t, "Close", closed); err != nil {
			t.Error(err)
		}
		waitClosed(t, "Done", c.Done())
	})
	t.Run("we close with a reason", func(t *testing.T) {
		c, s := scripted(t, nil)
		if err := c.CloseWithReason("maintenance"); err != nil {
			t.Error(err)
		}
		s.expect(goldenReason)
	})
	t.Run("we close and have dropped a message", func(t *testing.T) {
		c, s := scripted(t, &qsocket.Options{RecvQueue: 1})
		c.Messages()
		closed := async(c.Close)
		s.expect(goldenFull)
		s.send(strings.Repeat("00000001 61", 5) + goldenConfirm + goldenFull) // more than there is room for
		s.expectEOF()
		s.Close()
		if err := result(t, "Close", closed); err != nil {
			t.Error(err)
		}
		waitClosed(t, "Done", c.Done())
	})
	t.Run("the peer closes", func(t *testing.T) {
		c, s := scripted(t, nil)
		s.send("00000002 6869" + goldenFull)
		if m, err := c.Recv(ctx); m != "hi" || err != nil {
			t.Errorf("got %q, %v", m, err)
		}
		if _, err := c.Recv(ctx); err != io.EOF {
			t.Errorf("got %v, want io.EOF", err)
		}
		s.expect(goldenConfirm + goldenFull)
		s.expectEOF()
		s.send(goldenConfirm)
		s.Close()
		waitClosed(t, "Done", c.Done())
		if c.Err() != nil {
			t.Error(c.Err())
		}
	})
	t.Run("the peer closes one direction", func(t *testing.T) {
		c, s := scripted(t, nil)
		s.send(goldenHalf)
		if _, err := c.Recv(ctx); err != io.EOF {
			t.Errorf("got %v, want io.EOF", err)
		}
		s.expect(goldenConfirm)
		if err := c.Send(ctx, "hi"); err != nil {
			t.Error(err)
		}
		s.expect("00000002 6869")
		s.send(goldenHeartbeat + goldenFull)
		s.expect(goldenFull)
		s.expectEOF()
		s.Close()
		waitClosed(t, "Done", c.Done())
		if c.Err() != nil {
			t.Error(c.Err())
		}
	})
	t.Run("we close one direction, then the other", func(t *testing.T) {
		c, s := scripted(t, nil)
		if err := c.CloseWrite(); err != nil {
			t.Error(err)
		}
		s.expect(goldenHalf)
		closed := async(c.Close)
		s.expect(goldenFull)
		s.send(goldenConfirm + goldenFull)
		s.expect(goldenConfirm)
		s.expectEOF()
		if err := result(t, "Close", closed); err != nil {
			t.Error(err)
		}
	})
	t.Run("shutdown", func(t *testing.T) {
		c, s := scripted(t, nil)
		down := async(func() error { return c.Shutdown(ctx) })
		s.expect(goldenFull)
		s.send(goldenConfirm)
		if err := result(t, "Shutdown", down); err != nil { // as soon as it is confirmed
			t.Error(err)
		}
	})
	t.Run("shutdown, not confirmed", func(t *testing.T) {
		c, s := scripted(t, nil)
		down := async(func() error { return c.Shutdown(ctx) })
		s.expect(goldenFull)
		s.send(goldenFull)
		s.expect(goldenConfirm)
		s.expectEOF()
		s.Close()
		if err := result(t, "Shutdown", down); !errors.Is(err, qsocket.ErrUnconfirmed) {
			t.Errorf("got %v, want ErrUnconfirmed", err)
		}
	})
}

// What a peer may say although this version does not know it.
func TestUnknownControl(t *testing.T) {
	ctx := testContext(t)
	c, s := scripted(t, nil)
	s.send("80000001 80" + "80000003 ff 0102" + "80001000 81" + strings.Repeat("00", 4095))
	s.send("80000007 01 82 a1 78 c0 a1 79") // goodbye {x: nil, y:
	if _, err := c.Recv(ctx); !errors.Is(err, qsocket.ErrProtocol) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v, want ErrProtocol: the map is cut off", err)
	}
	c, s = scripted(t, nil)
	s.send("8000000b 01 82 a1 78 c0 a4 66756c6c c3") // goodbye {x: nil, full: true}
	if _, err := c.Recv(ctx); err != io.EOF {
		t.Errorf("got %v, want io.EOF", err)
	}
	s.expect(goldenConfirm + goldenFull)
}

// What breaks the rules ends the Conn, before and after our own goodbye.
func TestMalformedControl(t *testing.T) {
	for _, test := range []struct{ name, words, want string }{
		{"no kind", "80000000", "control frame of 0 bytes, want 1 to 4096"},
		{"too long", "80001001 80", "control frame of 4097 bytes, want 1 to 4096"},
		{"as long as can be", "ffffffff", "control frame of 2147483647 bytes"},
		{"reserved kind", "80000001 04", "reserved kind 0x04"},
		{"last reserved kind", "80000001 7f", "reserved kind 0x7f"},
		{"kind 0", "80000001 00", "reserved kind 0x00"},
		{"goodbye without a map", "80000001 01", "goodbye"},
		{"goodbye with a string", "80000003 01 a1 78", "goodbye"},
		{"goodbye with a number for full", "80000008 01 81 a4 66756c6c 01", "goodbye"},
		{"bytes after the goodbye's map", "80000003 01 80 80", "goodbye"},
		{"long reason", "8000040d 01 81 a6 726561736f6e da 0401" + strings.Repeat("61", 1025), "reason of 1025 bytes, want at most 1024"},
		{"heartbeat with a body", "80000002 02 00", "kind 0x02 with a body of 1 bytes"},
		{"confirm with a body", "80000002 03 00", "kind 0x03 with a body of 1 bytes"},
		{"confirm before our goodbye", goldenConfirm, "confirm before our goodbye"},
		{"message after goodbye", goldenHalf + "00000001 61", "message of 1 bytes after goodbye"},
		{"message after full goodbye", goldenFull + "00000000", ""},
		{"half after half", goldenHalf + goldenHalf, "goodbye after goodbye"},
		{"full after full", goldenFull + goldenFull, ""},
		{"half after full", goldenFull + goldenHalf, ""},
		{"message too large", "7fffffff", "exceeds MaxFrame"},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx := testContext(t)
			c, s := scripted(t, nil)
			s.send(test.words)
			_, err := c.Recv(ctx)
			waitClosed(t, "Done", c.Done())
			if test.want == "" { // the peer was done already: nobody cares
				if err != io.EOF || c.Err() != nil {
					t.Errorf("got %v and %v, want io.EOF and nil", err, c.Err())
				}
				return
			}
			if err == io.EOF { // half a goodbye, and then
				err = c.Err()
			}
			if !errors.Is(err, qsocket.ErrProtocol) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want ErrProtocol: %s", err, test.want)
			}
		})
	}
}

// A peer that says goodbye and is gone at once has ended well; one that still
// wanted to listen has not.
func TestGoodbyeAndGone(t *testing.T) {
	ctx := testContext(t)
	for _, test := range []struct {
		name, words string
		want        error
	}{
		{"full", goldenFull, nil},
		{"half", goldenHalf, io.ErrUnexpectedEOF},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, s := scripted(t, nil)
			s.send(test.words)
			s.Close()
			if _, err := c.Recv(ctx); err != io.EOF {
				t.Errorf("got %v, want io.EOF", err)
			}
			waitClosed(t, "Done", c.Done())
			if err := c.Err(); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

// A control frame may come in any number of pieces.
func TestControlInPieces(t *testing.T) {
	for _, r := range receivers {
		t.Run(r.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				nc, peer := net.Pipe()
				made := async(func() *qsocket.Conn[string] {
					c, err := qsocket.NewConn(context.Background(), nc, named, &qsocket.Options{Heartbeat: -1})
					if err != nil {
						t.Error(err)
					}
					return c
				})
				s := wirePeer{t, peer}
				words := unhex(goldenHello + "00000001 61" + goldenHeartbeat + "00000001 62" + goldenFull)
				go func() {
					for i := range words {
						time.Sleep(time.Millisecond)
						if _, err := peer.Write(words[i : i+1]); err != nil {
							t.Error(err)
						}
					}
				}()
				s.expectHello()
				c := <-made
				got := ""
				for {
					m, err := r.recv(c, context.Background())
					if err != nil {
						if err != io.EOF {
							t.Error(err)
						}
						break
					}
					got += m
				}
				if got != "ab" {
					t.Errorf("got %q, want ab", got)
				}
				s.expect(goldenConfirm + goldenFull)
				peer.Close()
				<-c.Done()
			})
		})
	}
}
