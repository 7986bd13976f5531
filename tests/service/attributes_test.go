package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
	"github.com/google/go-cmp/cmp"
)

// attributesCodec is testkit.TextCodec under a name of any length.
type attributesCodec struct {
	qsocket.Codec[string]
	name string
}

func (c attributesCodec) Name() string { return c.name }

// packedSize is the length of attributes in MessagePack, by its specification.
func packedSize(attributes map[string]string) int {
	size := 1
	if len(attributes) > 15 {
		size = 3
	}
	for name, value := range attributes {
		for _, s := range []string{name, value} {
			size += len(s)
			switch {
			case len(s) < 32:
				size++
			case len(s) < 256:
				size += 2
			default:
				size += 3
			}
		}
	}
	return size
}

// Attributes at their limits and beyond them, in many ways, with names of protocol and codec as long
// as they may be: what keeps to the limits arrives as it is, and of anything else not a byte is sent.
func TestAttributeLimits(t *testing.T) {
	const secret = "s3cr3t"
	random := rand.New(rand.NewPCG(1, 2))
	attempts := 10_000
	if testing.Short() || testkit.RaceEnabled {
		attempts = 1000
	}
	long := strings.Repeat("n", 1024)
	p := qsocket.Protocol[string]{Name: long, Codec: attributesCodec{testkit.TextCodec, long}}
	taken, refused := 0, 0
	for i := range attempts {
		attributes := drawAttributes(random, secret)
		valid := len(attributes) <= 32 && packedSize(attributes) <= 1536
		for name, value := range attributes {
			valid = valid && name != "" && utf8.ValidString(name) && utf8.ValidString(value)
		}
		opts := &qsocket.Options{Attributes: telling(attributes)}
		na, nb := qsockettest.NetPipe()
		heard := testkit.Async(func() map[string]string {
			if !valid {
				b, _ := io.ReadAll(nb)
				nb.Close()
				if len(b) > 0 {
					return map[string]string{"sent": string(b)}
				}
				return nil
			}
			c, err := qsocket.NewConn(context.Background(), nb, p, nil)
			if err != nil {
				return map[string]string{"error": err.Error()}
			}
			defer testkit.End(c)
			return c.PeerAttributes()
		})
		c, err := qsocket.NewConn(context.Background(), na, p, opts)
		if err == nil {
			testkit.End(c)
			taken++
		} else {
			refused++
			var he *qsocket.HandshakeError
			if !errors.As(err, &he) || he.Field != "internal" || !strings.Contains(err.Error(), "Options.Attributes: ") || strings.Contains(err.Error(), secret) {
				t.Errorf("attempt %d: got %v", i, err)
			}
		}
		got := testkit.Result(t, "the peer", heard)
		if (err == nil) != valid {
			t.Errorf("attempt %d: %d attributes of %d bytes, valid %v: got %v", i, len(attributes), packedSize(attributes), valid, err)
		}
		if want := attributes; valid && len(want) > 0 && !cmp.Equal(got, want) || !valid && got != nil {
			t.Errorf("attempt %d: the peer got %v, want %v", i, got, want)
		}
	}
	t.Logf("%d taken, %d refused", taken, refused)
	if taken < attempts/4 || refused < attempts/4 {
		t.Errorf("%d taken and %d refused of %d, want a good part of each", taken, refused, attempts)
	}
}

// drawAttributes returns attributes that are near a limit.
func drawAttributes(random *rand.Rand, secret string) map[string]string {
	attributes := make(map[string]string)
	letters := func(n int) string { return strings.Repeat("x", n) }
	switch random.IntN(4) {
	case 0: // their number
		for i := range 30 + random.IntN(5) {
			attributes[fmt.Sprint("name ", i)] = secret
		}
	case 1: // their size, all in one
		attributes["t"] = secret + letters(1518+random.IntN(20))
	case 2: // their size, with all lengths of headers
		for packedSize(attributes) < 1200 {
			attributes[fmt.Sprint(len(attributes), letters(random.IntN(60)))] = secret + letters(random.IntN(300))
		}
		attributes["rest"] = letters(max(0, 1536-packedSize(attributes)-7-random.IntN(4)+random.IntN(5)))
	case 3: // texts
		attributes["token"] = secret
		switch random.IntN(8) {
		case 0:
			attributes[""] = secret
		case 1:
			attributes["token\xff"] = secret
		case 2:
			attributes["other"] = secret + "\xff"
		case 3:
			attributes["other"] = secret + "\xed\xa0\x80" // half of a surrogate pair
		case 4:
			attributes["täg\x00\n"] = "wörld \x00\n"
		case 5:
			attributes["empty"] = ""
		default:
			clear(attributes)
		}
	}
	return attributes
}

// What Attributes does wrong is an error before anything is sent, TLS included, and says what
// the limit is and what came.
func TestAttributesFail(t *testing.T) {
	private := errors.New("private: no token here")
	many := make(map[string]string)
	for i := range 33 {
		many[fmt.Sprint(i)] = ""
	}
	for _, test := range []struct {
		name       string
		attributes func(context.Context) (map[string]string, error)
		want       string
		wraps      error
		cause      string
	}{
		{"an error", func(context.Context) (map[string]string, error) { return nil, private }, "Options.Attributes: private: no token here", private, "internal"},
		{"a panic", func(context.Context) (map[string]string, error) { panic("oh no") }, "panic in the handshake: oh no", nil, "panic"},
		{"too many", telling(many), "33 attributes, want at most 32", nil, "internal"},
		{"too large", telling(map[string]string{"a": strings.Repeat("x", 1530)}), "attributes of 1536 bytes", nil, ""},
		{"too large by a byte", telling(map[string]string{"a": strings.Repeat("x", 1531)}), "attributes of 1537 bytes as encoded, want at most 1536", nil, "internal"},
		{"no name", telling(map[string]string{"": "x"}), "an attribute with an empty name", nil, "internal"},
		{"not UTF-8", telling(map[string]string{"token": "x\xff"}), `the value of the attribute "token" is not UTF-8`, nil, "internal"},
		{"a name that is not UTF-8", telling(map[string]string{"tok\xff": "x"}), "the name of an attribute, of 4 bytes, is not UTF-8", nil, "internal"},
	} {
		testkit.ForTransports(t, testkit.Transports, func(t *testing.T, transport string) {
			t.Run(test.name, func(t *testing.T) {
				na, nb := testkit.NetPair(t, transport)
				if test.cause == "" { // it fits
					if errA, errB := greetEnds(t, na, nb, &qsocket.Options{Attributes: test.attributes}, nil); errA != nil || errB != nil {
						t.Errorf("got %v and %v", errA, errB)
					}
					return
				}
				if s, ok := nb.(interface{ NetConn() net.Conn }); ok {
					nb = s.NetConn()
				}
				read := testkit.Async(func() string { b, _ := io.ReadAll(nb); return string(b) })
				var log testkit.LogRecorder
				err := greetEnd(na, &qsocket.Options{Attributes: test.attributes, Logger: log.Logger()})
				var he *qsocket.HandshakeError
				if !errors.As(err, &he) || he.Field != "internal" || !strings.Contains(err.Error(), test.want) || test.wraps != nil && !errors.Is(err, test.wraps) {
					t.Errorf("got %v, want field internal and: %s", err, test.want)
				}
				if sent := testkit.Result(t, "the peer", read); sent != "" {
					t.Errorf("%q was sent", sent)
				}
				if got := log.Count("level=ERROR", "stack="); (got == 1) != (test.cause == "panic") {
					t.Errorf("%d stacks are logged", got)
				}
			})
		})
		if test.cause == "" {
			continue
		}
		ln := testkit.ListenOn(t, "tcp", testkit.Named, &qsocket.Options{Attributes: test.attributes})
		if _, err := qsocket.Dial(testkit.Context(t), "tcp", ln.Addr().String(), testkit.Named, nil); err == nil || strings.Contains(err.Error(), "private") {
			t.Errorf("%s: the client got %v", test.name, err)
		}
		testkit.Eventually(t, "the refusal to be counted", func() bool { return ln.Stats().Refused == 1 })
		if got := ln.Refusals(); !cmp.Equal(got, map[string]uint64{test.cause: 1}) {
			t.Errorf("%s: got %v, want one %s", test.name, got, test.cause)
		}
	}
}

// The ctx of the callbacks is that of the handshake.
func TestAttributesContext(t *testing.T) {
	type key struct{}
	ctx := context.WithValue(testkit.Context(t), key{}, "trace 7")
	opts := &qsocket.Options{
		HandshakeTimeout: time.Minute,
		Attributes: func(ctx context.Context) (map[string]string, error) {
			trace, _ := ctx.Value(key{}).(string)
			if end, ok := ctx.Deadline(); !ok || time.Until(end) > time.Minute {
				t.Errorf("the ctx ends at %v", end)
			}
			return map[string]string{"trace": trace}, nil
		},
	}
	ln := testkit.ListenOn(t, "tcp", testkit.Named, nil)
	c, err := qsocket.Dial(ctx, "tcp", ln.Addr().String(), testkit.Named, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer testkit.End(c)
	if got := testkit.Accept(t, ln).PeerAttributes(); got["trace"] != "trace 7" {
		t.Errorf("got %v, want the trace of Dial's ctx", got)
	}
}

// Without a hello nobody would be asked: that is an error, not a silence.
func TestAdmitInRawMode(t *testing.T) {
	for name, opts := range map[string]*qsocket.Options{"Attributes": {Attributes: telling(nil)}, "Admit": {Admit: answering(nil)}} {
		errs := make(map[string]error)
		_, errs["Dial"] = qsocket.Dial(testkit.Context(t), "tcp", "127.0.0.1:1", testkit.Text, opts)
		_, errs["Listen"] = qsocket.Listen("tcp", "127.0.0.1:0", testkit.Text, opts)
		_, _, errs["Pipe"] = qsocket.Pipe(testkit.Text, opts)
		na, nb := net.Pipe()
		_, errs["NewConn"] = qsocket.NewConn(testkit.Context(t), na, testkit.Text, opts)
		if _, err := nb.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("%s: NewConn left its net.Conn open: %v", name, err)
		}
		nl := newFakeListener()
		_, errs["NewListener"] = qsocket.NewListener(nl, testkit.Text, opts)
		testkit.WaitClosed(t, "the net.Listener", nl.closed)
		for call, err := range errs {
			if err == nil || !strings.Contains(err.Error(), "no Name") {
				t.Errorf("%s with %s: got %v", call, name, err)
			}
		}
	}
}
