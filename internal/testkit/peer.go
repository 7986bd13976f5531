package testkit

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
)

// A WirePeer is the other end of a named Conn, byte by byte.
type WirePeer struct {
	T testing.TB
	net.Conn
}

// Scripted returns a Conn that has shaken hands with a WirePeer.
func Scripted(t testing.TB, opts *qsocket.Options) (*qsocket.Conn[string], WirePeer) {
	t.Helper()
	nc, peer := NetPair(t, "tcp")
	s := WirePeer{t, peer}
	made := make(chan *qsocket.Conn[string], 1)
	go func() {
		c, err := qsocket.NewConn(context.Background(), nc, Named, opts)
		if err != nil {
			t.Error(err)
		}
		made <- c
	}()
	s.ExpectHello()
	s.Send(GoldenHello)
	c := Result(t, "the handshake", made)
	if c == nil {
		t.FailNow()
	}
	t.Cleanup(func() { End(c) })
	return c, s
}

// Send writes the bytes of hex digits.
func (s WirePeer) Send(words string) {
	s.T.Helper()
	if _, err := s.Write(Unhex(words)); err != nil {
		s.T.Errorf("write: %v", err)
	}
}

// Expect reads the bytes of hex digits, or fails the test.
func (s WirePeer) Expect(words string) {
	s.T.Helper()
	want := Unhex(words)
	got := make([]byte, len(want))
	_ = s.SetReadDeadline(time.Now().Add(Timeout))
	n, err := io.ReadFull(s, got)
	if err != nil || !bytes.Equal(got, want) {
		s.T.Errorf("read % x, %v\nwant % x", got[:n], err, want)
	}
}

// ExpectHello reads a hello, whatever is in it.
func (s WirePeer) ExpectHello() {
	s.T.Helper()
	header := make([]byte, 8)
	_ = s.SetReadDeadline(time.Now().Add(Timeout))
	if _, err := io.ReadFull(s, header); err != nil {
		s.T.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, s, int64(header[6])<<8|int64(header[7])); err != nil {
		s.T.Fatal(err)
	}
}

// ExpectEOF reads the end of the stream, or fails the test.
func (s WirePeer) ExpectEOF() {
	s.T.Helper()
	_ = s.SetReadDeadline(time.Now().Add(Timeout))
	if n, err := s.Read(make([]byte, 1)); err != io.EOF {
		s.T.Errorf("read %d bytes, %v, want EOF", n, err)
	}
}
