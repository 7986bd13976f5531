package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// admitting is an end that refuses for a reason; it lets in if there is none.
func admitting(reason string) *qsocket.Options {
	return &qsocket.Options{Admit: func(context.Context, qsocket.Peer, map[string]string, net.Conn) error {
		if reason == "" {
			return nil
		}
		return qsocket.Refuse(reason)
	}}
}

// An end of before the verdicts, byte by byte, that is let in or refused: it does not wait, and
// may have sent a message. It knows neither kind 82 nor codes.
func TestAdmitOlderPeer(t *testing.T) {
	for _, sends := range []bool{false, true} {
		for _, reason := range []string{"", "go away"} {
			t.Run(fmt.Sprintf("sends=%v, reason=%q", sends, reason), func(t *testing.T) {
				nc, peer := testkit.NetPair(t, "tcp")
				s := testkit.WirePeer{T: t, Conn: peer}
				message := testkit.Async(func() error {
					c, err := qsocket.NewConn(context.Background(), nc, testkit.Named, admitting(reason))
					if err != nil {
						return err
					}
					defer testkit.End(c)
					if m, err := c.Recv(testkit.Context(t)); m != "a" || err != nil {
						return fmt.Errorf("got %q, %w, want a", m, err)
					}
					return c.Close()
				})
				s.Send(testkit.GoldenHello)
				if sends {
					s.Send("00000001 61")
				}
				s.Expect(testkit.GoldenAdmits)
				if reason != "" {
					s.Expect(testkit.GoldenRefused)
					s.ExpectEOF()
					s.Close()
					var he *qsocket.HandshakeError
					if err := testkit.Result(t, "NewConn", message); !errors.As(err, &he) || he.Field != "refused" {
						t.Errorf("got %v, want field refused", err)
					}
					return
				}
				s.Expect(testkit.GoldenAdmitted)
				if !sends {
					s.Send("00000001 61")
				}
				s.Expect(testkit.GoldenFull)
				if err := testkit.Result(t, "the Conn", message); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// An end that is not asked waits for nothing: not for one of before the verdicts, whose hello has no
// adm, nor if it says false.
func TestNoVerdict(t *testing.T) {
	notAdmitting := strings.Replace(testkit.GoldenAdmits, "61646d c3", "61646d c2", 1)
	for _, hello := range []string{testkit.GoldenHello, notAdmitting} {
		for _, opts := range []*qsocket.Options{nil, admitting("")} {
			nc, peer := testkit.NetPair(t, "tcp")
			s := testkit.WirePeer{T: t, Conn: peer}
			s.Send(hello)
			c, err := qsocket.NewConn(testkit.Context(t), nc, testkit.Named, opts)
			if err != nil {
				t.Fatal(err)
			}
			if opts == nil {
				s.Expect(testkit.GoldenHello)
			} else {
				s.Expect(testkit.GoldenAdmits + testkit.GoldenAdmitted)
			}
			testkit.End(c)
		}
	}
}

// The verdict is a frame and no byte more: what follows it are messages, in whatever pieces they
// come. A second one is an extension like others.
func TestVerdictAndMessages(t *testing.T) {
	words := testkit.Unhex(testkit.GoldenAdmits + testkit.GoldenAdmitted + "00000001 61" + testkit.GoldenAdmitted + "00000000 00000001 62" + testkit.GoldenFull)
	for piece := 1; piece < len(words); piece++ {
		synctest.Test(t, func(t *testing.T) {
			nc, peer := qsockettest.NetPipe()
			defer peer.Close()
			go io.Copy(io.Discard, peer) // until peer is closed
			go func() {                  // until all is written
				for rest := words; len(rest) > 0; {
					n := min(piece, len(rest))
					if _, err := peer.Write(rest[:n]); err != nil {
						t.Error(err)
					}
					if rest = rest[n:]; len(rest) > 0 {
						time.Sleep(time.Millisecond)
					}
				}
			}()
			c, err := qsocket.NewConn(context.Background(), nc, testkit.Named, nil)
			if err != nil {
				t.Fatalf("pieces of %d bytes: %v", piece, err)
			}
			defer testkit.End(c)
			var got []string
			for m := range c.Messages() {
				got = append(got, m)
			}
			if strings.Join(got, "|") != "a||b" || c.Err() != nil {
				t.Errorf("pieces of %d bytes: got %q, %v", piece, got, c.Err())
			}
		})
	}
}

// verdicts are what an end that admits may say in place of a verdict, in hex.
var verdicts = []struct {
	name, words string
	field       string // of the HandshakeError; empty: a RemoteError alone
	want        string
}{
	{"a refusal", testkit.GoldenRefused, "refused", "refused by the peer: go away"},
	{"no room", "80000016 01 83 a6 726561736f6e a0 a4 66756c6c c3 a4 636f6465 09", "full", "the peer has no room: full"},
	{"a failure", "8000000e 01 82 a4 66756c6c c3 a4 636f6465 0a", "internal", "the peer has failed: internal error"},
	{"another code", "8000000f 01 82 a4 66756c6c c3 a4 636f6465 cc ff", "", "closed by peer: code 255"},
	{"a code of the program", "80000010 01 82 a4 66756c6c c3 a4 636f6465 cd 03e8", "", "closed by peer: code 1000"},
	{"a reason without a code", testkit.GoldenReason, "", "closed by peer: maintenance"},

	{"an empty message", "00000000", "hello", "a message, which begins with 00"},
	{"a message", "00000001 61", "hello", "a message, which begins with 00"},
	{"a message that is too long", "7fffffff", "hello", "a message, which begins with 7f"},
	{"no kind", "80000000", "hello", "a control frame of 0 bytes"},
	{"too long", "80001001 82", "hello", "a control frame of 4097 bytes"},
	{"as long as can be", "ffffffff 82", "hello", "a control frame of 2147483647 bytes"},
	{"admitted with a body", "80000002 82 80", "hello", "a body of 1 bytes"},
	{"admitted with a body to come", "80001000 82", "hello", "a body of 4095 bytes"},
	{"a heartbeat", testkit.GoldenHeartbeat, "hello", "kind 0x02"},
	{"a confirm", testkit.GoldenConfirm, "hello", "kind 0x03"},
	{"kind 0", "80000001 00", "hello", "kind 0x00"},
	{"a reserved kind", "80000001 04", "hello", "kind 0x04"},
	{"a description", "80000002 80 61", "hello", "kind 0x80"},
	{"going away", "80000002 81 80", "hello", "kind 0x81"},
	{"another extension", "80000001 83", "hello", "kind 0x83"},
	{"half a goodbye", testkit.GoldenHalf, "hello", "a goodbye without a reason"},
	{"a goodbye without a reason", testkit.GoldenFull, "hello", "a goodbye without a reason"},
	{"a goodbye with an empty reason", "80000010 01 82 a6 726561736f6e a0 a4 66756c6c c3", "hello", "a goodbye without a reason"},
	{"a goodbye without a map", "80000001 01", "hello", "goodbye"},
	{"a goodbye with nil", "80000002 01 c0", "hello", "nil where a map"},
	{"a goodbye with a code that is nil", "80000008 01 81 a4 636f6465 c0", "hello", "code: nil where a uint"},
	{"a goodbye with a code that is too large", "8000000c 01 81 a4 636f6465 ce 00010000", "hello", "goodbye"},
	{"a goodbye with a reason that is too long", "8000040d 01 81 a6 726561736f6e da 0401" + strings.Repeat("61", 1025), "hello", "reason of 1025 bytes"},
	{"another hello", testkit.GoldenAdmits, "hello", "a message, which begins with 51"},

	{"the end", "", "hello", "the connection ended before the peer's Options.Admit had answered"},
	{"the end inside the header", "800000", "hello", "the connection ended before the peer's Options.Admit had answered"},
	{"the end before the kind", "80000001", "hello", "the connection ended before the peer's Options.Admit had answered"},
	{"the end inside a goodbye", testkit.GoldenRefused[:30], "hello", "the connection ended before the peer's Options.Admit had answered"},
}

// Whatever comes in place of a verdict, nobody is let in, and soon: also if nothing follows.
func TestHostileVerdicts(t *testing.T) {
	testkit.ForTransports(t, testkit.Transports, func(t *testing.T, transport string) {
		for _, test := range verdicts {
			if transport == "pipe" && strings.HasPrefix(test.name, "the end") {
				continue // it has no half-close, and may come before our hello has been read
			}
			for _, both := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, both=%v", test.name, both), func(t *testing.T) {
					client, peer := testkit.NetPair(t, transport)
					opts := &qsocket.Options{HandshakeTimeout: testkit.Timeout}
					if both {
						opts.Admit = admitting("").Admit
					}
					failed := testkit.Async(func() error {
						c, err := qsocket.NewConn(context.Background(), client, testkit.Named, opts)
						if err == nil {
							testkit.End(c)
						}
						return err
					})
					read := testkit.Async(func() error { // until the end
						_, _ = io.Copy(io.Discard, peer)
						return peer.Close()
					})
					if _, err := peer.Write(testkit.Unhex(testkit.GoldenAdmits)); err != nil {
						t.Fatal(err)
					}
					_, _ = peer.Write(testkit.Unhex(test.words)) // the beginning may have been enough
					if strings.HasPrefix(test.name, "the end") {
						peer.(interface{ CloseWrite() error }).CloseWrite()
					}
					err := testkit.Result(t, "NewConn", failed)
					var he *qsocket.HandshakeError
					var re *qsocket.RemoteError
					if !strings.Contains(err.Error(), test.want) || errors.As(err, &he) != (test.field != "") || he != nil && he.Field != test.field || errors.As(err, &re) != (test.field != "hello") {
						t.Errorf("got %v, want field %q and: %s", err, test.field, test.want)
					}
					testkit.Result(t, "the end", read)
				})
			}
		}
	})
}

// A refusal in place of the description of the types, which both ends have: the one that refuses
// has seen the fingerprint only.
func TestRefusedBeforeDescription(t *testing.T) {
	_, blocks := wireDocument(t)
	other := strings.Replace(string(hexOf(t, blocks["hello"])), "440c720ddce9b003c225823873e58b5a", strings.Repeat("0", 32), 1)
	body := "\x88" + other[9:] + "\xa3adm\xc3"
	hello := "QSK\x01" + string(binary.BigEndian.AppendUint32(nil, uint32(len(body)))) + body
	nc, peer := testkit.NetPair(t, "tcp")
	s := testkit.WirePeer{T: t, Conn: peer}
	if _, err := io.WriteString(s, hello); err != nil {
		t.Fatal(err)
	}
	s.Send(testkit.GoldenRefused)
	_, err := qsocket.NewConn(testkit.Context(t), nc, ticks, nil)
	var he *qsocket.HandshakeError
	if !errors.As(err, &he) || he.Field != "refused" || he.Peer != "go away" {
		t.Errorf("got %v, want field refused", err)
	}
}
