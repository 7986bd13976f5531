package session

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

var blobs = qsocket.Protocol[[]byte]{Name: "blobs/1"}

// blobPair begins a session of blobs, over a Proxy if there is one.
func blobPair(t *testing.T, proxy *qsockettest.Proxy, sopts, copts *qsocket.Options) (client, server *qsocket.Session[[]byte], cut func()) {
	t.Helper()
	network := qsockettest.Listen(address)
	dial := network.DialContext
	if proxy != nil {
		dial = proxy.Through(dial)
	}
	return blobPairOver(t, network, dial, sopts, copts)
}

// blobPairOver begins a session of blobs over connections that dial makes, to network.
func blobPairOver(t *testing.T, network net.Listener, dial func(context.Context, string, string) (net.Conn, error), sopts, copts *qsocket.Options) (client, server *qsocket.Session[[]byte], cut func()) {
	t.Helper()
	ln, err := qsocket.NewListener(network, blobs, sopts)
	if err != nil {
		t.Fatal(err)
	}
	arrived := make(chan *qsocket.Session[[]byte], 1)
	go ln.ServeSessions(context.Background(), func(ctx context.Context, s *qsocket.Session[[]byte]) {
		arrived <- s
		<-s.Done()
	})
	var mu sync.Mutex
	var latest net.Conn
	copts.DialContext = func(ctx context.Context, nw, addr string) (net.Conn, error) {
		nc, err := dial(ctx, nw, addr)
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			latest = nc
		}
		return nc, err
	}
	if copts.Backoff == nil {
		copts.Backoff = func(int) time.Duration { return 10 * time.Millisecond }
	}
	client, err = qsocket.DialSession(t.Context(), "tcp", address, blobs, copts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = client.Shutdown(ctx)
		_ = ln.Drain(ctx, "")
	})
	return client, <-arrived, func() {
		mu.Lock()
		defer mu.Unlock()
		_ = latest.Close()
	}
}

// numbered is a message of n bytes with a number in it.
func numbered(i, n int) []byte {
	b := bytes.Repeat([]byte{byte(i)}, max(n, 8))
	binary.BigEndian.PutUint64(b, uint64(i))
	return b
}

func number(b []byte) int { return int(binary.BigEndian.Uint64(b)) }

// recvBlobs receives numbered messages, from first to last, of n bytes.
func recvBlobs(ctx context.Context, s *qsocket.Session[[]byte], first, last, n int) error {
	for i := first; i <= last; i++ {
		got, err := s.Recv(ctx)
		if err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
		if !bytes.Equal(got, numbered(i, n)) {
			return fmt.Errorf("got message %d of %d bytes, want %d of %d", number(got), len(got), i, n)
		}
	}
	return nil
}

// 64 MiB are outstanding in both directions at the same time, over sockets whose buffers are 4 KiB, and connections
// break meanwhile.
func TestSession10MuchOutstandingBothWays(t *testing.T) {
	const size = 64 << 10
	messages := 1 << 10
	if testkit.RaceEnabled {
		messages /= 8
	}
	outstanding := messages * (4 + 5 + size)
	nl, err := net.Listen("unix", filepath.Join(testkit.ShortTempDir(t), "s")) // TCP with so little waits for its timers
	if err != nil {
		t.Fatal(err)
	}
	sopts, copts := serverOptions(), &qsocket.Options{SendBuffer: 4 << 10, SessionBuffer: outstanding}
	sopts.SendBuffer, sopts.SessionBuffer = copts.SendBuffer, copts.SessionBuffer
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		nc, err := new(net.Dialer).DialContext(ctx, "unix", nl.Addr().String())
		if err == nil {
			err = smallBuffers(nc)
		}
		return nc, err
	}
	client, server, cut := blobPairOver(t, smallListener{nl}, dial, sopts, copts)
	var work, sent sync.WaitGroup
	for _, s := range []*qsocket.Session[[]byte]{client, server} {
		sent.Go(func() {
			for i := 1; i <= messages; i++ {
				if err := s.Send(t.Context(), numbered(i, size)); err != nil {
					t.Errorf("Send: %v", err)
					return
				}
			}
		})
	}
	sent.Wait()
	for _, s := range []*qsocket.Session[[]byte]{client, server} {
		if held := s.Stats().Unacknowledged; held != outstanding {
			t.Errorf("%d bytes are outstanding, want %d", held, outstanding)
		}
		work.Go(func() {
			for i := 1; i <= messages; i += 64 {
				if err := recvBlobs(t.Context(), s, i, i+63, size); err != nil {
					t.Error(err)
					return
				}
				if s == client {
					cut()
				}
			}
		})
	}
	work.Wait()
	if got := client.Stats(); got.Resumes == 0 {
		t.Errorf("%+v", got)
	}
}

// smallBuffers gives the socket of nc buffers of 4 KiB, or what the kernel takes for so little.
func smallBuffers(nc net.Conn) error {
	return errors.Join(nc.(*net.UnixConn).SetReadBuffer(4<<10), nc.(*net.UnixConn).SetWriteBuffer(4<<10))
}

// smallListener is a net.Listener with such connections.
type smallListener struct{ net.Listener }

func (l smallListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err == nil {
		err = smallBuffers(nc)
	}
	return nc, err
}

// While there is no connection messages are queued up to SessionBuffer. What a Send that gave up wanted to send
// never arrives, and a Group that drops does not wait.
func TestSession11FullWhileDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 1000
		copts := &qsocket.Options{SessionBuffer: 10 * (4 + 3 + size), Backoff: func(int) time.Duration { return time.Minute }}
		client, server, cut := blobPair(t, nil, serverOptions(), copts)
		group := qsocket.NewGroup(blobs, qsocket.Drop)
		group.AddSession(client)
		cut()
		synctest.Wait()
		for i := 1; i <= 10; i++ {
			if err := client.Send(t.Context(), numbered(i, size)); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := client.Send(ctx, numbered(99, size)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Send with a full buffer: %v", err)
		}
		start := time.Now()
		if n, err := group.Broadcast(t.Context(), numbered(99, size)); n != 0 || err != nil || time.Since(start) > 0 {
			t.Errorf("Broadcast: %d, %v, after %v", n, err, time.Since(start))
		}
		if ok, err := client.TrySend(numbered(99, size)); ok || err != nil {
			t.Errorf("TrySend: %v, %v", ok, err)
		}
		waiting := testkit.Async(func() error { return client.Send(t.Context(), numbered(11, size)) })
		if err := recvBlobs(t.Context(), server, 1, 11, size); err != nil {
			t.Error(err)
		}
		if err := <-waiting; err != nil {
			t.Error(err)
		}
		if got := client.Stats(); got.Dropped != 1 || got.MessagesSent != 11 {
			t.Errorf("%+v", got)
		}
	})
}

// Messages of all sizes around what is a limit somewhere get through without a stall.
func TestSession12SizesAroundTheLimits(t *testing.T) {
	const keep = 64 << 10
	for _, size := range []int{8, keep/4 - 20, keep/4 - 8, keep / 4, keep/4 + 8, keep/2 - 8, keep / 2, keep - 8, keep, keep + 8, 10 * keep} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sopts, copts := serverOptions(), &qsocket.Options{SessionBuffer: keep}
				sopts.SessionBuffer = keep
				client, server, _ := blobPair(t, nil, sopts, copts)
				const messages = 100
				start := time.Now()
				received := testkit.Async(func() error { return recvBlobs(t.Context(), server, 1, messages, size) })
				for i := 1; i <= messages; i++ {
					if err := client.Send(t.Context(), numbered(i, size)); err != nil {
						t.Fatal(err)
					}
				}
				if err := <-received; err != nil {
					t.Error(err)
				}
				if err := client.Sync(t.Context()); err != nil {
					t.Error(err)
				}
				if took := time.Since(start); took > time.Second {
					t.Errorf("it took %v over a connection without latency", took)
				}
			})
		})
		t.Run(fmt.Sprint(size, "/Messages"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sopts, copts := serverOptions(), &qsocket.Options{SessionBuffer: keep}
				sopts.SessionBuffer = keep
				client, server, _ := blobPair(t, nil, sopts, copts)
				const messages = 100
				start := time.Now()
				received := testkit.Async(func() error {
					for i := 1; i <= messages; i++ {
						if got := <-server.Messages(); number(got) != i {
							return fmt.Errorf("got %d, want %d", number(got), i)
						}
					}
					return nil
				})
				for i := 1; i <= messages; i++ {
					if err := client.Send(t.Context(), numbered(i, size)); err != nil {
						t.Fatal(err)
					}
				}
				if err := <-received; err != nil {
					t.Error(err)
				}
				if took := time.Since(start); took > 200*20*time.Millisecond {
					t.Errorf("it took %v over a connection without latency", took)
				}
			})
		})
	}
}

// A consumer that never takes costs a bounded amount of memory, and nothing of what waits for it is acknowledged.
func TestSession13ConsumerThatNeverTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const buffer, size = 1 << 20, 1000
		sopts, copts := serverOptions(), &qsocket.Options{SessionBuffer: buffer}
		client, server, cut := blobPair(t, nil, sopts, copts)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		sent := 0
		for ; ; sent++ {
			if err := client.Send(ctx, numbered(sent+1, size)); err != nil {
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
				break
			}
			if sent%100 == 0 {
				cut()
			}
		}
		if got := client.Stats().Unacknowledged; got > buffer || got < buffer-2*size || sent < buffer/size-20 {
			t.Errorf("%d bytes are unacknowledged after %d messages", got, sent)
		}
		if got := server.Stats().MessagesReceived; got > 17 {
			t.Errorf("the server has read %d messages, want its queue and one", got)
		}
		if err := recvBlobs(t.Context(), server, 1, sent, size); err != nil {
			t.Error(err)
		}
	})
}

// What waits for the consumer takes no more memory than DecodedBuffer.
func TestSession13DecodedBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size, messages = 4000, 100
		sopts := serverOptions()
		sopts.DecodedBuffer = 3*size + 100
		client, server, cut := blobPair(t, nil, sopts, &qsocket.Options{})
		for i := 1; i <= messages; i++ {
			if err := client.Send(t.Context(), numbered(i, size)); err != nil {
				t.Fatal(err)
			}
		}
		for i := 1; i <= messages; i += 10 {
			synctest.Wait()
			if got := int(server.Stats().MessagesReceived) - (i - 1); got > 4 {
				t.Errorf("%d messages wait, want 3 and one in hand", got)
			}
			cut()
			time.Sleep(time.Second)
			if err := recvBlobs(t.Context(), server, i, i+9, size); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// A program that does not receive stalls the other direction, once SessionBuffer is full: acks come behind messages.
func TestSession14ProgramThatNeverReceives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 1000
		sopts, copts := serverOptions(), &qsocket.Options{SessionBuffer: 100 << 10, SendBuffer: 4 << 10}
		sopts.SendBuffer = 4 << 10
		client, server, _ := blobPair(t, nil, sopts, copts)
		go func() { // the server floods the client, which does not receive
			for i := 1; server.Send(t.Context(), numbered(i, size)) == nil; i++ {
			}
		}()
		go func() {
			for range server.Messages() {
			}
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		sent := 0
		for ; client.Send(ctx, numbered(sent+1, size)) == nil; sent++ {
		}
		if sent < 90 || sent > 110 {
			t.Errorf("%d messages were accepted, want what SessionBuffer holds", sent)
		}
		go func() { // and then it does
			for range client.Messages() {
			}
		}()
		if err := client.Send(t.Context(), numbered(1, size)); err != nil {
			t.Error(err)
		}
	})
}

// Many resumes leave nothing behind.
func TestSession16ManyResumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, serverOptions())
		client, server := k.pair(nil)
		goroutines := 0
		for i := 1; i <= 1000; i++ {
			k.cut()
			send(t, client, i, i)
			expect(t, server, i, i)
			for client.NetConn() == nil {
				time.Sleep(time.Millisecond)
			}
			if i == 10 {
				time.Sleep(time.Minute)
				goroutines = runtime.NumGoroutine()
			}
		}
		time.Sleep(time.Minute)
		if got := runtime.NumGoroutine(); got > goroutines+2 {
			t.Errorf("%d goroutines, %d at the beginning", got, goroutines)
		}
		if got := client.Stats(); got.Resumes != 1000 || got.MessagesSent != 1000 {
			t.Errorf("%+v", got)
		}
	})
}

// What a Prepared and a Broadcast send is counted like all else, and what is refused is not.
func TestSession17AllThatIsSentIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sopts, copts := serverOptions(), &qsocket.Options{MaxFrame: 1000}
		client, server, cut := blobPair(t, nil, sopts, copts)
		group := qsocket.NewGroup(blobs, qsocket.Block)
		group.AddSession(client)
		i := 0
		next := func() []byte { i++; return numbered(i, 100) }
		for range 5 {
			if err := client.Send(t.Context(), next()); err != nil {
				t.Error(err)
			}
			m, err := blobs.Prepare(next())
			if err != nil {
				t.Fatal(err)
			}
			if err := client.SendPrepared(t.Context(), m); err != nil {
				t.Error(err)
			}
			if n, err := group.Broadcast(t.Context(), next()); n != 1 || err != nil {
				t.Error(n, err)
			}
			if ok, err := client.TrySend(next()); !ok || err != nil {
				t.Error(ok, err)
			}
			if err := client.Send(t.Context(), make([]byte, 2000)); !errors.Is(err, qsocket.ErrFrameTooLarge) {
				t.Errorf("too large: %v", err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := client.Send(ctx, next()); !errors.Is(err, context.Canceled) {
				t.Errorf("canceled: %v", err)
			}
			i--
			cut()
		}
		if err := recvBlobs(t.Context(), server, 1, i, 100); err != nil {
			t.Error(err)
		}
		if got := client.Stats().MessagesSent; got != 20 {
			t.Errorf("%d sent, want 20", got)
		}
	})
}

// A link with a long way is filled up to what SessionBuffer allows, and nobody is taken for dead.
func TestSession33LongWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const buffer, size = 64 << 10, 1000
		proxy := qsockettest.NewProxy(1, qsockettest.Faults{Latency: 60 * time.Millisecond}, qsockettest.Faults{Latency: 60 * time.Millisecond})
		t.Cleanup(proxy.Close)
		sopts, copts := serverOptions(), &qsocket.Options{SessionBuffer: buffer, Heartbeat: time.Second}
		sopts.Heartbeat = time.Second
		client, server, _ := blobPair(t, proxy, sopts, copts)
		const messages = 64 * buffer / size
		start := time.Now()
		received := testkit.Async(func() error { return recvBlobs(t.Context(), server, 1, messages, size) })
		for i := 1; i <= messages; i++ {
			if err := client.Send(t.Context(), numbered(i, size)); err != nil {
				t.Fatal(err)
			}
		}
		if err := <-received; err != nil {
			t.Error(err)
		}
		took := time.Since(start)
		if got := client.Stats(); got.Resumes > 0 {
			t.Errorf("%+v", got)
		}
		// ¾ · SessionBuffer for each round trip of 120 ms.
		if most := 64 * 4 * 120 * time.Millisecond / 3; took > most*11/10 {
			t.Errorf("it took %v, want at most %v", took, most)
		}
	})
}

// An ack that is due while another connection takes over, or while the peer reads nothing, is told on the next one, or when
// it reads.
func TestSession34AckDueDuringTakeover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, serverOptions())
		id := newID()
		first := k.ask(hello{id: id, try: 1, isNew: true, keep: 40})
		first.wantSession(created, 0)
		server := <-k.arrived
		for i := 1; i <= 100; i++ { // and reads nothing
			first.send(i)
		}
		expect(t, server, 1, 100)
		second := k.ask(hello{id: id, try: 2})
		second.wantSession(resumed, 100)
		if kind, body := second.frame(); kind != 5 || binary.BigEndian.Uint64(body) != 100 {
			t.Errorf("kind %d, % x", kind, body)
		}
		second.control(6)
		if kind, body := second.frame(); kind != 5 || binary.BigEndian.Uint64(body) != 100 {
			t.Errorf("kind %d, % x", kind, body)
		}
	})
}
