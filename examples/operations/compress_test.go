package operations

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// largeCalls is Protocol with its calls compressed, and its answers not.
var largeCalls = qsocket.Protocol[Message]{
	Name: "calls/2",
	Codec: qsocket.Union(
		qsocket.Case[Message](1, compressed(qsocket.Msgpack[Call](), 1<<20)),
		qsocket.Case[Message](2, qsocket.Msgpack[Answer]()),
	),
}

// A message that repeats itself is small on the wire, and arrives; one that would become too large, or
// has something behind it, ends the connection.
func TestCompressed(t *testing.T) {
	if got, want := largeCalls.Codec.Name(), "union(deflate(msgpack),msgpack)"; got != want {
		t.Errorf("the codec is %s, want %s", got, want)
	}
	if text := largeCalls.Schema(); strings.Contains(text, "Trace") || !strings.Contains(text, "Error") {
		t.Errorf("want the fields of an Answer, and none of a Call, in\n%s", text)
	}
	synctest.Test(t, func(t *testing.T) {
		a, b := qsockettest.Pipe(t, largeCalls, nil)
		sent := Call{Text: strings.Repeat("the same again. ", 10_000)}
		for range 2 {
			if err := a.Send(t.Context(), sent); err != nil {
				t.Fatal(err)
			}
			if m, err := b.Recv(t.Context()); err != nil || m != sent {
				t.Errorf("got %v", err)
			}
		}
		if got := a.Stats().BytesSent; got > 4000 {
			t.Errorf("two messages of 160,000 bytes took %d bytes", got)
		}
	})
	var zeros bytes.Buffer
	w, _ := flate.NewWriter(&zeros, flate.BestSpeed)
	_, _ = w.Write(make([]byte, 16<<20))
	_ = w.Close()
	codec := compressed(qsocket.Msgpack[Call](), 1<<20)
	good, err := codec.NewEncoder().Append(nil, Call{ID: 7})
	if err != nil {
		t.Fatal(err)
	}
	dec := codec.NewDecoder()
	if v, err := dec.Decode(good); err != nil || v.ID != 7 {
		t.Errorf("got %v, %v", v, err)
	}
	for name, payload := range map[string][]byte{
		"16 MiB of zeros":  zeros.Bytes(),
		"a byte behind it": append(good, 0),
		"cut short":        good[:len(good)-1],
		"none":             nil,
	} {
		allocated := testkit.Allocated(func() { _, err = dec.Decode(payload) })
		if err == nil || allocated > 8<<20 {
			t.Errorf("%s: got %v, and %d bytes were allocated", name, err, allocated)
		}
	}
}

// deflatedListener compresses what comes and goes over the connections of a net.Listener.
type deflatedListener struct{ net.Listener }

func (l deflatedListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return deflate(nc), nil
}

// counting counts what is written.
type counting struct {
	*qsockettest.StreamConn
	written atomic.Int64
}

func (c *counting) Write(p []byte) (int, error) {
	c.written.Add(int64(len(p)))
	return c.StreamConn.Write(p)
}

// compressing is a client and a server whose bytes are compressed, and below is what the client writes.
func compressing[T any](t *testing.T, p qsocket.Protocol[T]) (client, server *qsocket.Conn[T], below *counting) {
	na, nb := qsockettest.NetPipe()
	below = &counting{StreamConn: na}
	client, server = testkit.WrapPair(t, deflate(below), deflate(nb), p, nil, nil)
	return client, server, below
}

// Each message arrives at once, though nothing follows it; a Recv whose ctx ends costs nothing else; the
// last messages are not lost; and a failure is not taken for an end.
func TestDeflated(t *testing.T) {
	for _, p := range []qsocket.Protocol[string]{testkit.Named, testkit.Text} {
		t.Run(p.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b, _ := compressing(t, p)
				start := time.Now()
				for i := range 100 {
					from, to := a, b
					if i%2 == 1 {
						from, to = b, a
					}
					testkit.Exchange(t, from, to, fmt.Sprint("message ", i, strings.Repeat("x", i*i)))
				}
				if took := time.Since(start); took != 0 {
					t.Errorf("messages waited for %v", took)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if _, err := b.Recv(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v", err)
				}
				testkit.Exchange(t, a, b, "goes on")
				time.Sleep(5 * time.Minute) // heartbeats are compressed as well
				for range 60 {
					if err := a.Send(t.Context(), strings.Repeat("tail", 1000)); err != nil {
						t.Fatal(err)
					}
				}
				received := testkit.Async(func() (n int) {
					for range b.Messages() {
						n++
					}
					b.Close()
					return n
				})
				if err := a.Shutdown(t.Context()); err != nil {
					t.Errorf("Shutdown: %v", err)
				}
				if got := <-received; got != 60 || b.Err() != nil {
					t.Errorf("got %d messages, and %v", got, b.Err())
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		a, b, below := compressing(t, testkit.Named)
		b.Messages()
		below.Close()
		<-b.Done()
		if b.Err() == nil {
			t.Error("a connection that was cut looks like a clean end")
		}
		a.Close()
	})
}

// What a connection that compresses costs: a flush for each message that is sent alone, and memory.
func TestDeflatedCosts(t *testing.T) {
	order := "a small order of some fifty bytes, like others there are"
	size := func(together int) float64 {
		var each float64
		synctest.Test(t, func(t *testing.T) {
			a, b, below := compressing(t, testkit.Named)
			go func() {
				for range b.Messages() {
				}
			}()
			before := below.written.Load()
			const messages = 2000
			for i := range messages {
				if err := a.Send(t.Context(), fmt.Sprint(order, i)); err != nil {
					t.Fatal(err)
				}
				if i%together == 0 {
					synctest.Wait()
				}
			}
			if err := a.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			each = float64(below.written.Load()-before) / messages
			a.Close()
			<-b.Done()
		})
		return each
	}
	alone, gathered := size(1), size(100)
	t.Logf("64 bytes take %.1f alone, %.1f gathered", alone, gathered)
	if alone < 7 || alone > 12 || gathered > 5 {
		t.Errorf("64 bytes take %.1f alone, %.1f gathered", alone, gathered)
	}
	var fast bytes.Buffer
	w, _ := flate.NewWriter(&fast, flate.BestSpeed)
	for i := range 2000 {
		_, _ = fmt.Fprint(w, order, i)
		_ = w.Flush()
	}
	if got := fast.Len() / 2000; got < 50 {
		t.Errorf("with BestSpeed they take %d bytes", got)
	}
	const conns = 20
	keep := make([]net.Conn, conns)
	used := testkit.Allocated(func() {
		for i := range keep {
			nc, _ := qsockettest.NetPipe()
			keep[i] = deflate(nc)
			_, _ = keep[i].Write([]byte(order))
		}
	}) / conns
	runtime.KeepAlive(keep)
	t.Logf("%d KiB a connection", used>>10)
	if used < 600<<10 || used > 1200<<10 {
		t.Errorf("a connection takes %d KiB", used>>10)
	}
}

// With TLS, what is compressed is encrypted, and not the reverse: TLS is below.
func TestDeflatedTLS(t *testing.T) {
	nl, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln := listen(t, deflatedListener{tls.NewListener(nl, testkit.ServerTLS())}, echo, nil)
	dialer := tls.Dialer{Config: testkit.ClientTLS()}
	opts := &qsocket.Options{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		nc, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return deflate(nc), nil
	}}
	if err := check(testkit.Context(t), "tcp", ln.Addr().String(), opts); err != nil {
		t.Error(err)
	}
}
