package session

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// wiretap records what goes over a connection.
type wiretap struct {
	net.Conn
	mu       sync.Mutex
	up, down []byte
}

func (w *wiretap) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = append(w.down, b[:n]...)
	return n, err
}

func (w *wiretap) Write(b []byte) (int, error) {
	w.mu.Lock()
	w.up = append(w.up, b...)
	w.mu.Unlock()
	return w.Conn.Write(b)
}

func (w *wiretap) CloseWrite() error { return w.Conn.(*qsockettest.StreamConn).CloseWrite() }

// The conversation in docs/wire.md, of a session whose connection breaks, is what two ends say. The name of the
// session is random, so it is replaced by that of the page.
func TestWireSessionConversation(t *testing.T) {
	page, err := os.ReadFile("../../docs/wire.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```session\n(.*?)\n```").FindSubmatch(page)
	if block == nil {
		t.Fatal("docs/wire.md has no block of that kind")
	}
	var taps []*wiretap
	synctest.Test(t, func(t *testing.T) {
		network := qsockettest.Listen(address)
		opts := &qsocket.Options{MaxSessions: 1, Heartbeat: -1}
		p := qsocket.Protocol[string]{Name: "doubler/1"}
		ln, err := qsocket.NewListener(network, p, opts)
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() {
			served <- ln.ServeSessions(context.Background(), func(ctx context.Context, s *qsocket.Session[string]) {
				for v, err := range s.All(ctx) {
					if err != nil {
						t.Error(err)
						return
					}
					if err := s.Send(ctx, v+v); err != nil {
						t.Error(err)
					}
				}
				if err := s.Shutdown(ctx); err != nil {
					t.Error(err)
				}
			})
		}()
		client, err := qsocket.DialSession(t.Context(), "tcp", address, p, &qsocket.Options{
			Heartbeat: -1,
			Backoff:   func(int) time.Duration { return time.Second },
			DialContext: func(ctx context.Context, nw, addr string) (net.Conn, error) {
				nc, err := network.DialContext(ctx, nw, addr)
				if err != nil {
					return nil, err
				}
				taps = append(taps, &wiretap{Conn: nc})
				return taps[len(taps)-1], nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		say := func(text string) {
			if err := client.Send(t.Context(), text); err != nil {
				t.Fatal(err)
			}
		}
		say("ab")
		if got, err := client.Recv(t.Context()); got != "abab" || err != nil {
			t.Fatal(got, err)
		}
		_ = taps[0].Conn.Close()
		synctest.Wait()
		say("cd")
		if got, err := client.Recv(t.Context()); got != "cdcd" || err != nil {
			t.Fatal(got, err)
		}
		if err := client.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Recv(t.Context()); err != io.EOF {
			t.Errorf("got %v, want io.EOF", err)
		}
		<-client.Done()
		if err := ln.Drain(t.Context(), ""); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	var said [][2][]byte // by connection: up, down
	said = append(said, [2][]byte{})
	for line := range strings.SplitSeq(string(block[1]), "\n") {
		switch {
		case strings.HasPrefix(line, "C ") || strings.HasPrefix(line, "S "):
			digits := regexp.MustCompile(`^(?:[0-9a-f]{2} {0,2})+`).FindString(line[2:])
			b, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			dir := strings.IndexByte("CS", line[0])
			said[len(said)-1][dir] = append(said[len(said)-1][dir], b...)
		default:
			said = append(said, [2][]byte{})
		}
	}
	for i, tap := range taps {
		if _, after, ok := bytes.Cut(tap.up, []byte("\xa3sid\xc4\x10")); ok {
			copy(after, "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f")
		}
		for dir, got := range [2][]byte{tap.up, tap.down} {
			if i >= len(said) || !bytes.Equal(said[i][dir], got) {
				t.Errorf("connection %d: %c says\n%s", i+1, "CS"[dir], grouped(got))
			}
		}
	}
}

// grouped shows frames, one on a line.
func grouped(b []byte) string {
	var out strings.Builder
	if len(b) > 8 && string(b[:3]) == "QSK" {
		n := 8 + int(b[6])<<8 + int(b[7])
		fmt.Fprintf(&out, "% x   %q\n", b[:n], b[:n])
		b = b[n:]
	}
	for len(b) >= 4 {
		n := min(len(b), 4+int(b[2])<<8+int(b[3]))
		fmt.Fprintf(&out, "% x   %q\n", b[:n], b[:n])
		b = b[n:]
	}
	return out.String()
}
