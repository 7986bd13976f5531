package wire

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

func TestGoldenHello(t *testing.T) {
	nc, peer := testkit.NetPair(t, "tcp")
	s := testkit.WirePeer{T: t, Conn: peer}
	failed := testkit.Async(func() error { _, err := qsocket.NewConn(context.Background(), nc, testkit.Named, nil); return err })
	s.Expect(testkit.GoldenHello)
	s.Close()
	if err := testkit.Result(t, "NewConn", failed); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v, want io.ErrUnexpectedEOF", err)
	}
}

// The talk at the end, in each of the ways it can go.
func TestGoldenParting(t *testing.T) {
	ctx := testkit.Context(t)
	t.Run("we close", func(t *testing.T) {
		c, s := testkit.Scripted(t, nil)
		if err := c.Send(ctx, "hi"); err != nil {
			t.Fatal(err)
		}
		closed := testkit.Async(c.Close)
		s.Expect("00000002 6869" + testkit.GoldenFull)
		s.Send(testkit.GoldenConfirm + testkit.GoldenFull)
		s.Expect(testkit.GoldenConfirm)
		s.ExpectEOF()
		s.Close()
		if err := testkit.Result(t, "Close", closed); err != nil {
			t.Error(err)
		}
		testkit.WaitClosed(t, "Done", c.Done())
	})
	t.Run("we close with a reason", func(t *testing.T) {
		c, s := testkit.Scripted(t, nil)
		if err := c.CloseWithReason("maintenance"); err != nil {
			t.Error(err)
		}
		s.Expect(testkit.GoldenReason)
	})
	t.Run("we close and have dropped a message", func(t *testing.T) {
		c, s := testkit.Scripted(t, &qsocket.Options{RecvQueue: 1})
		c.Messages()
		closed := testkit.Async(c.Close)
		s.Expect(testkit.GoldenFull)
		s.Send(strings.Repeat("00000001 61", 5) + testkit.GoldenConfirm + testkit.GoldenFull) // more than there is room for
		s.ExpectEOF()
		s.Close()
		if err := testkit.Result(t, "Close", closed); err != nil {
			t.Error(err)
		}
		testkit.WaitClosed(t, "Done", c.Done())
	})
	t.Run("the peer closes", func(t *testing.T) {
		c, s := testkit.Scripted(t, nil)
		s.Send("00000002 6869" + testkit.GoldenFull)
		if m, err := c.Recv(ctx); m != "hi" || err != nil {
			t.Errorf("got %q, %v", m, err)
		}
		if _, err := c.Recv(ctx); err != io.EOF {
			t.Errorf("got %v, want io.EOF", err)
		}
		s.Expect(testkit.GoldenConfirm + testkit.GoldenFull)
		s.ExpectEOF()
		s.Send(testkit.GoldenConfirm)
		s.Close()
		testkit.WaitClosed(t, "Done", c.Done())
		if c.Err() != nil {
			t.Error(c.Err())
		}
	})
	t.Run("the peer closes one direction", func(t *testing.T) {
		c, s := testkit.Scripted(t, nil)
		s.Send(testkit.GoldenHalf)
		if _, err := c.Recv(ctx); err != io.EOF {
			t.Errorf("got %v, want io.EOF", err)
		}
		s.Expect(testkit.GoldenConfirm)
		if err := c.Send(ctx, "hi"); err != nil {
			t.Error(err)
		}
		s.Expect("00000002 6869")
		s.Send(testkit.GoldenHeartbeat + testkit.GoldenFull)
		s.Expect(testkit.GoldenFull)
		s.ExpectEOF()
		s.Close()
		testkit.WaitClosed(t, "Done", c.Done())
		if c.Err() != nil {
			t.Error(c.Err())
		}
	})
	t.Run("we close one direction, then the other", func(t *testing.T) {
		c, s := testkit.Scripted(t, nil)
		if err := c.CloseWrite(); err != nil {
			t.Error(err)
		}
		s.Expect(testkit.GoldenHalf)
		closed := testkit.Async(c.Close)
		s.Expect(testkit.GoldenFull)
		s.Send(testkit.GoldenConfirm + testkit.GoldenFull)
		s.Expect(testkit.GoldenConfirm)
		s.ExpectEOF()
		if err := testkit.Result(t, "Close", closed); err != nil {
			t.Error(err)
		}
	})
	t.Run("shutdown", func(t *testing.T) {
		c, s := testkit.Scripted(t, nil)
		down := testkit.Async(func() error { return c.Shutdown(ctx) })
		s.Expect(testkit.GoldenFull)
		s.Send(testkit.GoldenConfirm)
		if err := testkit.Result(t, "Shutdown", down); err != nil { // as soon as it is confirmed
			t.Error(err)
		}
	})
	t.Run("shutdown, confirmed after the peer's goodbye", func(t *testing.T) {
		c, s := testkit.Scripted(t, nil)
		down := testkit.Async(func() error { return c.Shutdown(ctx) })
		s.Expect(testkit.GoldenFull)
		s.Send(testkit.GoldenFull)
		s.Expect(testkit.GoldenConfirm)
		s.ExpectEOF()
		s.Send(testkit.GoldenConfirm)
		if err := testkit.Result(t, "Shutdown", down); err != nil {
			t.Error(err)
		}
	})
	t.Run("shutdown, not confirmed", func(t *testing.T) {
		c, s := testkit.Scripted(t, nil)
		down := testkit.Async(func() error { return c.Shutdown(ctx) })
		s.Expect(testkit.GoldenFull)
		s.Send(testkit.GoldenFull)
		s.Expect(testkit.GoldenConfirm)
		s.ExpectEOF()
		s.Close()
		if err := testkit.Result(t, "Shutdown", down); !errors.Is(err, qsocket.ErrUnconfirmed) {
			t.Errorf("got %v, want ErrUnconfirmed", err)
		}
	})
}

// What a peer may say although this version does not know it.
func TestUnknownControl(t *testing.T) {
	ctx := testkit.Context(t)
	c, s := testkit.Scripted(t, nil)
	s.Send("80000001 80" + "80000003 ff 0102" + "80001000 fe" + strings.Repeat("00", 4095))
	s.Send("80000007 01 82 a1 78 c0 a1 79") // goodbye {x: nil, y:
	if _, err := c.Recv(ctx); !errors.Is(err, qsocket.ErrProtocol) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v, want ErrProtocol: the map is cut off", err)
	}
	c, s = testkit.Scripted(t, nil)
	s.Send("8000000b 01 82 a1 78 c0 a4 66756c6c c3") // goodbye {x: nil, full: true}
	if _, err := c.Recv(ctx); err != io.EOF {
		t.Errorf("got %v, want io.EOF", err)
	}
	s.Expect(testkit.GoldenConfirm + testkit.GoldenFull)
}

// What breaks the rules ends the Conn, before and after our own goodbye.
func TestMalformedControl(t *testing.T) {
	for _, test := range testkit.Violations {
		t.Run(test.Name, func(t *testing.T) {
			ctx := testkit.Context(t)
			c, s := testkit.Scripted(t, nil)
			s.Send(test.Bytes)
			_, err := c.Recv(ctx)
			testkit.WaitClosed(t, "Done", c.Done())
			if test.Want == "" { // the peer was done already: it does not matter
				if err != io.EOF || c.Err() != nil {
					t.Errorf("got %v and %v, want io.EOF and nil", err, c.Err())
				}
				return
			}
			if err == io.EOF { // half a goodbye, and then
				err = c.Err()
			}
			if !errors.Is(err, qsocket.ErrProtocol) || !strings.Contains(err.Error(), test.Want) {
				t.Errorf("got %v, want ErrProtocol: %s", err, test.Want)
			}
		})
	}
}

// Of a payload that the codec does not take the peer is told in fixed words.
func TestPayloadThatIsNone(t *testing.T) {
	nc, peer := testkit.NetPair(t, "tcp")
	received := testkit.Async(func() error {
		c, err := qsocket.NewConn(context.Background(), nc, ticks, nil)
		if err == nil {
			_, err = c.Recv(context.Background())
		}
		return err
	})
	_, blocks := wireDocument(t)
	s := testkit.WirePeer{T: t, Conn: peer}
	s.ExpectHello()
	if _, err := s.Write(hexOf(t, blocks["peer-hello"])); err != nil {
		t.Fatal(err)
	}
	s.Send("00000001 c1") // a byte with which no value begins
	s.Expect("8000004f 0183a6726561736f6ed93861206d65737361676520636f756c64206e6f74206265206465636f6465642c206f72206973206f6620616e20756e6b6e6f776e2063617365a466756c6cc3a4636f646502")
	s.ExpectEOF()
	s.Close()
	var ce *qsocket.CodecError
	if err := testkit.Result(t, "Recv", received); !errors.As(err, &ce) {
		t.Errorf("got %v, want a CodecError", err)
	}
}

// A peer that says goodbye and is gone at once has ended well; one that still
// wanted to listen has not.
func TestGoodbyeAndGone(t *testing.T) {
	ctx := testkit.Context(t)
	for _, test := range []struct {
		name, words string
		want        error
	}{
		{"full", testkit.GoldenFull, nil},
		{"half", testkit.GoldenHalf, io.ErrUnexpectedEOF},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, s := testkit.Scripted(t, nil)
			s.Send(test.words)
			s.Close()
			if _, err := c.Recv(ctx); err != io.EOF {
				t.Errorf("got %v, want io.EOF", err)
			}
			testkit.WaitClosed(t, "Done", c.Done())
			if err := c.Err(); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

// A control frame may come in any number of pieces.
func TestControlInPieces(t *testing.T) {
	for _, r := range testkit.Receivers {
		t.Run(r.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				nc, peer := net.Pipe()
				made := testkit.Async(func() *qsocket.Conn[string] {
					c, err := qsocket.NewConn(context.Background(), nc, testkit.Named, &qsocket.Options{Heartbeat: -1})
					if err != nil {
						t.Error(err)
					}
					return c
				})
				s := testkit.WirePeer{T: t, Conn: peer}
				words := testkit.Unhex(testkit.GoldenHello + "00000001 61" + testkit.GoldenHeartbeat + "00000001 62" + testkit.GoldenFull)
				go func() {
					for i := range words {
						time.Sleep(time.Millisecond)
						if _, err := peer.Write(words[i : i+1]); err != nil {
							t.Error(err)
						}
					}
				}()
				s.ExpectHello()
				c := <-made
				got := ""
				for {
					m, err := r.Recv(c, context.Background())
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
				s.Expect(testkit.GoldenConfirm + testkit.GoldenFull)
				peer.Close()
				<-c.Done()
			})
		})
	}
}
