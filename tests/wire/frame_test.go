package wire

import (
	"bytes"
	"errors"
	"io"
	"math"
	"net"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

func TestFramingString(t *testing.T) {
	var names []string
	for _, f := range append(testkit.Framings, 17) {
		names = append(names, f.String())
	}
	if got, want := strings.Join(names, " "), "Uint32 Uint16 Uint8 Uint32LE Uvarint Netstring Framing(17)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// The bytes of every framing are frozen, in both directions.
func TestGoldenFrames(t *testing.T) {
	x300 := strings.Repeat("x", 300)
	for _, test := range []struct {
		framing qsocket.Framing
		message string
		wire    string
	}{
		{qsocket.Uint32, "hello", "\x00\x00\x00\x05hello"},
		{qsocket.Uint32, "", "\x00\x00\x00\x00"},
		{qsocket.Uint32, x300, "\x00\x00\x01\x2c" + x300},
		{qsocket.Uint16, "hello", "\x00\x05hello"},
		{qsocket.Uint16, x300, "\x01\x2c" + x300},
		{qsocket.Uint8, "hello", "\x05hello"},
		{qsocket.Uint8, "", "\x00"},
		{qsocket.Uint32LE, "hello", "\x05\x00\x00\x00hello"},
		{qsocket.Uint32LE, x300, "\x2c\x01\x00\x00" + x300},
		{qsocket.Uvarint, "hello", "\x05hello"},
		{qsocket.Uvarint, "", "\x00"},
		{qsocket.Uvarint, x300, "\xac\x02" + x300},
		{qsocket.Netstring, "hello", "5:hello,"},
		{qsocket.Netstring, "", "0:,"},
		{qsocket.Netstring, x300, "300:" + x300 + ","},
	} {
		t.Run(test.framing.String(), func(t *testing.T) {
			ctx := testkit.Context(t)
			p := testkit.Text
			p.Framing = test.framing
			nc, peer := testkit.NetPair(t, "tcp")
			c, err := qsocket.NewConn(ctx, nc, p, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer testkit.End(c)
			if err := c.Send(ctx, test.message); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(test.wire))
			if _, err := io.ReadFull(peer, got); err != nil || string(got) != test.wire {
				t.Errorf("sent %.20q (%v), want %.20q", got, err, test.wire)
			}
			if _, err := peer.Write([]byte(test.wire)); err != nil {
				t.Fatal(err)
			}
			if got, err := c.Recv(ctx); err != nil || got != test.message {
				t.Errorf("received %.20q, %v, want %.20q", got, err, test.message)
			}
		})
	}
}

// receive returns what a Conn makes of bytes that a peer sends before it ends.
func receive(t *testing.T, f qsocket.Framing, opts *qsocket.Options, wire []byte) (messages []string, err error) {
	t.Helper()
	ctx := testkit.Context(t)
	p := testkit.Text
	p.Framing = f
	nc, peer := testkit.NetPair(t, "tcp")
	c, err := qsocket.NewConn(ctx, nc, p, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer testkit.End(c)
	if _, err := peer.Write(wire); err != nil {
		t.Fatal(err)
	}
	peer.(*net.TCPConn).CloseWrite()
	for {
		m, err := c.Recv(ctx)
		if err != nil {
			if err != io.EOF && !errors.Is(c.Err(), err) {
				t.Errorf("Recv: %v, but Err: %v", err, c.Err())
			}
			return messages, err
		}
		messages = append(messages, m)
	}
}

func TestMalformedFrames(t *testing.T) {
	const limit = 1000
	for _, test := range []struct {
		framing qsocket.Framing
		name    string
		wire    string
		is      error
		says    string
	}{
		{qsocket.Uint32, "above MaxFrame", "\x00\x00\x03\xe9", qsocket.ErrFrameTooLarge, "frame of 1001 bytes exceeds MaxFrame 1000"},
		{qsocket.Uint32, "negative for Python", "\xff\xff\xff\xff", qsocket.ErrProtocol, "frame of 4294967295 bytes exceeds MaxFrame 1000"},
		{qsocket.Uint32LE, "above MaxFrame", "\xe9\x03\x00\x00", qsocket.ErrFrameTooLarge, "1001"},
		{qsocket.Uint16, "above MaxFrame", "\x03\xe9", qsocket.ErrFrameTooLarge, "1001"},
		{qsocket.Uvarint, "above MaxFrame", "\xe9\x07", qsocket.ErrFrameTooLarge, "1001"},
		{qsocket.Uvarint, "largest", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", qsocket.ErrFrameTooLarge, "18446744073709551615"},
		{qsocket.Uvarint, "not minimal", "\x81\x00", qsocket.ErrProtocol, "81 00 is not in its shortest form"},
		{qsocket.Uvarint, "zero in two bytes", "\x80\x00", qsocket.ErrProtocol, "shortest form"},
		{qsocket.Uvarint, "65 bits", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", qsocket.ErrProtocol, "exceeds 64 bits"},
		{qsocket.Uvarint, "11 bytes", "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", qsocket.ErrProtocol, "exceeds 64 bits"},
		{qsocket.Netstring, "above MaxFrame", "1001:", qsocket.ErrFrameTooLarge, "1001"},
		{qsocket.Netstring, "leading zero", "05:hello,", qsocket.ErrProtocol, `"05" has a leading zero`},
		{qsocket.Netstring, "sign", "+5:hello,", qsocket.ErrProtocol, `'+' at offset 0, want a digit`},
		{qsocket.Netstring, "minus", "-1:,", qsocket.ErrProtocol, `'-' at offset 0`},
		{qsocket.Netstring, "no digits", ":hello,", qsocket.ErrProtocol, `':' at offset 0, want a digit`},
		{qsocket.Netstring, "space", "5 :hello,", qsocket.ErrProtocol, `' ' at offset 1, want a digit or ":"`},
		{qsocket.Netstring, "11 digits", "12345678901:", qsocket.ErrProtocol, "more than 10 digits"},
		{qsocket.Netstring, "no comma", "5:hello;", qsocket.ErrProtocol, `ends in ';', want ','`},
		{qsocket.Netstring, "another protocol", "GET / HTTP/1.1\r\n\r\n", qsocket.ErrProtocol, "want a digit"},
	} {
		t.Run(test.framing.String()+"/"+test.name, func(t *testing.T) {
			good, err := receive(t, test.framing, &qsocket.Options{MaxFrame: limit}, []byte(testkit.Frame(t, test.framing, "first")+test.wire))
			if !errors.Is(err, test.is) || !errors.Is(err, qsocket.ErrProtocol) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %v saying %q", err, test.is, test.says)
			}
			if len(good) != 1 || good[0] != "first" {
				t.Errorf("got %q before the error, want the first message", good)
			}
		})
	}
}

func TestSendRefusesLargeMessages(t *testing.T) {
	ctx := testkit.Context(t)
	a, b := testkit.Pair(t, "tcp", testkit.Raw, &qsocket.Options{MaxFrame: 1048576}, &qsocket.Options{MaxFrame: math.MaxInt32})
	err := a.Send(ctx, make([]byte, 5242880))
	if !errors.Is(err, qsocket.ErrFrameTooLarge) || errors.Is(err, qsocket.ErrProtocol) {
		t.Errorf("got %v, want ErrFrameTooLarge alone", err)
	}
	if got, want := err.Error(), "qsocket: frame of 5242880 bytes exceeds MaxFrame 1048576"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	want := bytes.Repeat([]byte("x"), 1048576)
	if err := a.Send(ctx, want); err != nil {
		t.Error("a message of MaxFrame bytes:", err)
	}
	if got, err := b.Recv(ctx); err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes and %v, want the second message", len(got), err)
	}
}

// No length overflows, however large MaxFrame is.
func TestLargestLengths(t *testing.T) {
	for _, test := range []struct {
		framing qsocket.Framing
		wire    string
	}{
		{qsocket.Uvarint, "\xff\xff\xff\xff\xff\xff\xff\xff\x7f"},
		{qsocket.Uvarint, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"},
		{qsocket.Netstring, "9999999999:"},
		{qsocket.Uint32, "\xff\xff\xff\xff"},
	} {
		_, err := receive(t, test.framing, &qsocket.Options{MaxFrame: math.MaxInt}, []byte(test.wire+"x"))
		if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, qsocket.ErrFrameTooLarge) {
			t.Errorf("%v %q: got %v, want io.ErrUnexpectedEOF or ErrFrameTooLarge", test.framing, test.wire, err)
		}
	}
}
