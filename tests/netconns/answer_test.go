package netconns

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// asks reports whether the library asks the kernel whether a Write of package tls would wait.
func asks() bool { return runtime.GOOS == "linux" || runtime.GOOS == "darwin" }

// written sends n messages, each after a pause, and returns how many of them had been written when
// Send returned.
func written(t *testing.T, c *qsocket.Conn[[]byte], n int, message []byte) (direct int) {
	t.Helper()
	for range n {
		time.Sleep(2 * time.Millisecond) // the connection is quiet
		if err := c.Send(t.Context(), message); err != nil {
			t.Fatal(err)
		}
		if c.Stats().SendBuffered == 0 {
			direct++
		}
	}
	return direct
}

// Over TLS 1.3 a small message on a quiet connection is written by its sender; a larger one, or any before
// that version or over a wrapper, is left to the flusher, which has not begun when Send returns.
func TestSenderWritesOverTLS(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // the flusher does not start while this goroutine runs
	for _, test := range []struct {
		transport string
		size      int
		direct    bool
	}{
		{"tls", 100, asks()},
		{"tls", 1000, asks()},
		{"tls", 1100, false}, // above 1 KiB
		{"tls 1.2", 100, false},
		{"wrapped", 100, false},
	} {
		na, nb := pairOver(t, test.transport)
		a, b := testkit.WrapPair(t, na, nb, qsocket.Protocol[[]byte]{Name: "blobs/1"}, nil, nil)
		got := testkit.Async(func() (n int) {
			for range b.Messages() {
				n++
			}
			b.Close()
			return n
		})
		const n = 20
		direct := written(t, a, n, make([]byte, test.size))
		if test.direct != (direct > n/2) { // now and then the scheduler does otherwise
			t.Errorf("%s, %d bytes: %d of %d were written by their senders", test.transport, test.size, direct, n)
		}
		if err := a.Shutdown(testkit.Context(t)); err != nil {
			t.Error(err)
		}
		if came := <-got; came != n {
			t.Errorf("%s, %d bytes: %d of %d messages came", test.transport, test.size, came, n)
		}
	}
}

// Over TLS an answer never waits for the kernel, though each looks like one that could be written
// at once: the peer sends, and takes nothing. Send returns until SendBuffer is full, and then when its
// ctx ends.
func TestAnswersToDeafPeer(t *testing.T) {
	for _, buffers := range []int{0, 1} { // as they are, and as small as the kernel allows
		na, nb := pairOver(t, "tls")
		if buffers > 0 {
			below := na.(interface{ NetConn() net.Conn }).NetConn().(*net.TCPConn)
			if err := below.SetWriteBuffer(buffers); err != nil {
				t.Fatal(err)
			}
		}
		a, b := testkit.WrapPair(t, na, nb, testkit.Raw, &qsocket.Options{SendBuffer: 100_000}, nil)
		ctx := testkit.Context(t)
		message := make([]byte, 1000)
		longest := time.Duration(0)
		for {
			if err := b.Send(ctx, message[:1]); err != nil {
				t.Fatal(err)
			}
			if _, err := a.Recv(ctx); err != nil {
				t.Fatal(err)
			}
			full := a.Stats().SendBuffered > 90_000
			bounded, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
			began := time.Now()
			err := a.Send(bounded, message)
			took := time.Since(began)
			cancel()
			if err == nil && !full {
				longest = max(longest, took)
			}
			if errors.Is(err, context.DeadlineExceeded) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		t.Logf("the longest Send with space in SendBuffer took %v", longest)
		if longest > time.Second {
			t.Errorf("a Send waited for %v with space in SendBuffer", longest)
		}
	}
}

// pairOver returns the two ends of a connection; "wrapped" is TCP below a type of the program's.
func pairOver(t testing.TB, transport string) (client, server net.Conn) {
	t.Helper()
	switch transport {
	case "wrapped":
		client, server = testkit.NetPair(t, "tcp")
		return wrapped{client}, wrapped{server}
	case "tls 1.2":
		client, server = testkit.NetPair(t, "tcp")
		old := testkit.ClientTLS()
		old.MaxVersion, old.ServerName = tls.VersionTLS12, "localhost"
		return tls.Client(client, old), tls.Server(server, testkit.ServerTLS())
	}
	return testkit.NetPair(t, transport)
}
