package fuzz

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// canned is a net.Conn whose peer has sent data, in pieces, and ended.
type canned struct {
	data   []byte
	piece  int
	closed chan struct{}
}

func (c *canned) Read(b []byte) (int, error) {
	select {
	case <-c.closed:
		return 0, net.ErrClosed
	default:
	}
	if len(c.data) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), c.piece)], c.data)
	c.data = c.data[n:]
	return n, nil
}

func (c *canned) Write(b []byte) (int, error)      { return len(b), nil }
func (c *canned) Close() error                     { close(c.closed); return nil }
func (c *canned) LocalAddr() net.Addr              { return &net.UnixAddr{Name: "a", Net: "unix"} }
func (c *canned) RemoteAddr() net.Addr             { return &net.UnixAddr{Name: "b", Net: "unix"} }
func (c *canned) SetDeadline(time.Time) error      { return nil }
func (c *canned) SetReadDeadline(time.Time) error  { return nil }
func (c *canned) SetWriteDeadline(time.Time) error { return nil }

// fuzzStream feeds a stream to a Conn and returns how it ended.
func fuzzStream(t *testing.T, p qsocket.Protocol[string], piece byte, data []byte) (err error) {
	t.Helper()
	ctx := context.Background()
	allocated := testkit.Allocated(func() {
		nc := &canned{data: data, piece: 1 + int(piece), closed: make(chan struct{})}
		var c *qsocket.Conn[string]
		if c, err = qsocket.NewConn(ctx, nc, p, nil); err != nil {
			return
		}
		for err == nil {
			_, err = c.Recv(ctx)
		}
		if s := c.Stats(); s.BytesReceived > uint64(len(data)) {
			t.Errorf("%d bytes received of %d", s.BytesReceived, len(data))
		}
		testkit.End(c)
		testkit.WaitClosed(t, "Done", c.Done())
	})
	t.Logf("stream of %d bytes: %d allocated", len(data), allocated)
	if limit := uint64(512*len(data) + 64<<10); allocated > limit {
		t.Errorf("%d bytes allocated for %d, want at most %d", allocated, len(data), limit)
	}
	return err
}

// FuzzFrames reads frames of every framing.
func FuzzFrames(f *testing.F) {
	for framing, streams := range map[qsocket.Framing][]string{
		qsocket.Uint32:    {"", "\x00\x00\x00\x05hello\x00\x00\x00\x00", "\x00\x00\x00\x05hel", "\x00\x0f\xff\xff", "\xff\xff\xff\xff", "GET / HTTP/1.1\r\n\r\n"},
		qsocket.Uint16:    {"\x00\x05hello", "\xff\xff", "\x00"},
		qsocket.Uint8:     {"\x05hello\x00", "\xff"},
		qsocket.Uint32LE:  {"\x05\x00\x00\x00hello", "\xff\xff\x0f\x00", "\xff\xff\xff\xff"},
		qsocket.Uvarint:   {"\x05hello", "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80", "\x80\x00", "\xff\xff\x3f"},
		qsocket.Netstring: {"5:hello,0:,", "5:hello;", "05:", "12345678901:", "1048576:", ":"},
	} {
		for _, s := range streams {
			f.Add(byte(framing), byte(0), []byte(s))
			f.Add(byte(framing), byte(255), []byte(s))
		}
	}
	f.Fuzz(func(t *testing.T, framing, piece byte, data []byte) {
		p := testkit.Text
		p.Framing = qsocket.Framing(framing % 6)
		err := fuzzStream(t, p, piece, data)
		if err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, qsocket.ErrProtocol) {
			t.Errorf("got %v, want io.EOF, io.ErrUnexpectedEOF or ErrProtocol", err)
		}
	})
}

// FuzzHello reads what should begin with a hello.
func FuzzHello(f *testing.F) {
	for _, s := range []string{
		"", testkit.GoldenHello, testkit.GoldenHello + testkit.GoldenFull, testkit.GoldenHello[:40], "51534b01 00000000", "51534b01 00000001 80", "51534b01 00001000", "51534b01 ffffffff",
		"51534b02 00000000", "51534c01", "51534b01 00000006 81 a3 6d6178 01", "51534b01 00000006 dfffffffff 00", "474554202f20485454502f312e310d0a", "160301",
	} {
		if n := len(strings.ReplaceAll(s, " ", "")); n%2 != 0 {
			f.Fatalf("%q has half a byte", s)
		}
		f.Add(byte(0), testkit.Unhex(s))
		f.Add(byte(255), testkit.Unhex(s))
	}
	f.Fuzz(func(t *testing.T, piece byte, data []byte) {
		err := fuzzStream(t, testkit.Named, piece, data)
		var refused *qsocket.HandshakeError
		if !errors.As(err, &refused) && !fuzzEnd(err) {
			t.Errorf("got %v, want a HandshakeError or the end of a Conn", err)
		}
	})
}

// FuzzControl reads what follows a hello.
func FuzzControl(f *testing.F) {
	for _, s := range []string{
		"", testkit.GoldenHalf, testkit.GoldenFull, testkit.GoldenReason, testkit.GoldenHeartbeat, testkit.GoldenConfirm, "00000001 61" + testkit.GoldenHalf + testkit.GoldenConfirm + testkit.GoldenFull,
		"80000000", "80001001 80", "ffffffff", "80000001 04", "80000001 80", "80001000 81", "80000003 01 a1 78", "80000006 01 dfffffffff",
		"80000007 01 81 a1 78 c0 c0", testkit.GoldenHalf + "00000001 61", testkit.GoldenHalf + testkit.GoldenHalf, "00000005 68", "7fffffff",
	} {
		f.Add(byte(0), testkit.Unhex(s))
		f.Add(byte(255), testkit.Unhex(s))
	}
	hello := testkit.Unhex(testkit.GoldenHello)
	f.Fuzz(func(t *testing.T, piece byte, data []byte) {
		if err := fuzzStream(t, testkit.Named, piece, append(hello[:len(hello):len(hello)], data...)); !fuzzEnd(err) {
			t.Errorf("got %v, want the end of a Conn", err)
		}
	})
}

// FuzzVerdict reads what follows the hello of an end with Admit.
func FuzzVerdict(f *testing.F) {
	for _, s := range []string{
		"", testkit.GoldenAdmitted, testkit.GoldenRefused, testkit.GoldenRefused[:40], testkit.GoldenHalf, testkit.GoldenFull, testkit.GoldenReason, testkit.GoldenHeartbeat, testkit.GoldenConfirm,
		testkit.GoldenAdmitted + "00000001 61" + testkit.GoldenFull, testkit.GoldenAdmitted + testkit.GoldenAdmitted, testkit.GoldenAdmitted + testkit.GoldenReason,
		"00000000", "00000001 61", "80000000", "80001001 82", "ffffffff 82", "80000002 82 80", "80001000 82", "80000001 01", "80000002 01 c0", "80000002 80 61", "80000001 83",
		"8000000d 01 82 a4 66756c6c c3 a4 636f6465 09", "8000000e 01 82 a4 66756c6c c3 a4 636f6465 cc ff", "80000008 01 81 a4 636f6465 c0", "8000000c 01 81 a4 636f6465 ce 00010000",
	} {
		f.Add(byte(0), testkit.Unhex(s))
		f.Add(byte(255), testkit.Unhex(s))
	}
	hello := testkit.Unhex(testkit.GoldenAdmits)
	admitted := testkit.Unhex(testkit.GoldenAdmitted)
	f.Fuzz(func(t *testing.T, piece byte, data []byte) {
		err := fuzzStream(t, testkit.Named, piece, append(hello[:len(hello):len(hello)], data...))
		var refused *qsocket.HandshakeError
		var remote *qsocket.RemoteError
		switch {
		case bytes.HasPrefix(data, admitted):
			if errors.As(err, &refused) || !fuzzEnd(err) {
				t.Errorf("got %v, want the end of a Conn", err)
			}
		case !errors.As(err, &refused) && !errors.As(err, &remote):
			t.Errorf("got %v, want that there is no Conn", err)
		}
	})
}

// fuzzEnd reports whether err is one with which a Conn of text and a peer that
// ends may end.
func fuzzEnd(err error) bool {
	var remote *qsocket.RemoteError
	return err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, qsocket.ErrProtocol) || errors.As(err, &remote)
}
