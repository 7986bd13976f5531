package qsocket_test

// What a message costs, by codec, size and transport. To run all of it (half a
// minute), or what matters for a choice, and to compare with benchstat
// (golang.org/x/perf/cmd/benchstat):
//
//	go test -run '^$' -bench . -benchtime 200ms
//	go test -run '^$' -bench 'OneWay/.*/size=100B/transport=tcp' -count 10 | tee bench.txt
//	benchstat -col /codec bench.txt
//	benchstat -row '.name /codec' -col /mode bench.txt
//	benchstat -row /codec -col /transport bench.txt
//	benchstat -row '/size /op' -col /codec -filter '.name:Codec' bench.txt
//
// The keys:
//
//   - codec: those of the package; none, which copies bytes one way and nothing
//     the other way, so that what is left is the library's own cost; and raw, no
//     library at all: frames encoded beforehand on a plain net.Conn, the limit
//     that the rest is measured against. gob-fresh (BenchmarkCodec only) makes an
//     encoder and a decoder for each message, as programs do that do not keep
//     one stream per connection.
//   - size: 100B is an order of roughly that many bytes; 1KiB and 64KiB are
//     the same order with a blob of that size.
//   - transport: tcp over loopback, unix, or pipe (in memory).
//   - mode: how messages are received: pull is Recv, channel is Messages.
//
// Bytes per second count whole frames. Times of different runs differ by a
// quarter and more on a busy machine: compare what was measured in one run.

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
)

// benchWork says what the two ends of a connection do.
type benchWork int

const (
	benchOneWay   benchWork = iota // one sender; the peer receives
	benchSenders                   // 16 concurrent senders on one end; the peer receives
	benchPingPong                  // each message waits for the answer to the one before
)

// benchAll runs w with every codec: all sizes over TCP, and the smallest
// one also over the other transports and by channel. The raw limit knows no modes.
func benchAll(b *testing.B, w benchWork, sizes, transports bool) {
	for _, s := range benchSubjects() {
		small := s.size == "100B"
		if !small && !sizes {
			continue
		}
		run := func(transport, mode string) {
			b.Run(fmt.Sprintf("codec=%s/size=%s/transport=%s/mode=%s", s.codec, s.size, transport, mode), func(b *testing.B) {
				s.run(b, w, transport, mode)
			})
		}
		run("tcp", "pull")
		if !small {
			continue
		}
		if s.codec != "raw" {
			run("tcp", "channel")
		}
		if transports {
			run("unix", "pull")
			run("pipe", "pull")
		}
	}
}

// BenchmarkOneWay is a stream: one goroutine sends, one receives. The time is
// that of a message when many are under way, until the last one has arrived.
func BenchmarkOneWay(b *testing.B) { benchAll(b, benchOneWay, true, true) }

// BenchmarkSenders16 is a stream into which 16 goroutines send.
func BenchmarkSenders16(b *testing.B) { benchAll(b, benchSenders, false, false) }

// BenchmarkPingPong is the time of a round trip: a message and its echo.
func BenchmarkPingPong(b *testing.B) { benchAll(b, benchPingPong, false, true) }

// Connections

// benchListen returns a Listener on a fresh address, which ends with the benchmark.
func benchListen[T any](b *testing.B, transport string, p qsocket.Protocol[T]) *qsocket.Listener[T] {
	b.Helper()
	network, address := benchAddress(b, transport)
	ln, err := qsocket.Listen(network, address, p, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { ln.Close() })
	return ln
}

// benchAddress returns what to listen on for transport tcp or unix.
func benchAddress(b *testing.B, transport string) (network, address string) {
	b.Helper()
	if transport == "tcp" {
		return "tcp", "127.0.0.1:0"
	}
	dir, err := os.MkdirTemp("", "qsocket") // b.TempDir may be too long for a socket's path
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	return transport, filepath.Join(dir, "s")
}

// benchDial returns the two ends of a new connection to ln.
func benchDial[T any](b *testing.B, ln *qsocket.Listener[T], p qsocket.Protocol[T]) (client, server *qsocket.Conn[T]) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Second)
	defer cancel()
	client, err := qsocket.Dial(ctx, ln.Addr().Network(), ln.Addr().String(), p, nil)
	if err != nil {
		b.Fatal(err)
	}
	server, err = ln.Accept(ctx)
	if err != nil {
		client.Close()
		b.Fatal(err)
	}
	return client, server
}

// benchConns returns the two ends of a connection, which end with the benchmark.
func benchConns[T any](b *testing.B, transport string, p qsocket.Protocol[T]) (client, server *qsocket.Conn[T]) {
	b.Helper()
	if transport == "pipe" {
		var err error
		if client, server, err = qsocket.Pipe(p, nil); err != nil {
			b.Fatal(err)
		}
	} else {
		client, server = benchDial(b, benchListen(b, transport, p), p)
	}
	b.Cleanup(func() {
		var closing sync.WaitGroup
		closing.Go(func() { client.Close() })
		server.Close() // at the same time: it discards what the client flushes
		closing.Wait()
	})
	return client, server
}

// benchSockets is benchConns without the library.
func benchSockets(b *testing.B, transport string) (client, server net.Conn) {
	b.Helper()
	if transport == "pipe" {
		client, server = net.Pipe()
	} else {
		network, address := benchAddress(b, transport)
		ln, err := net.Listen(network, address)
		if err != nil {
			b.Fatal(err)
		}
		defer ln.Close()
		if client, err = net.Dial(network, ln.Addr().String()); err != nil {
			b.Fatal(err)
		}
		if server, err = ln.Accept(); err != nil {
			client.Close()
			b.Fatal(err)
		}
	}
	b.Cleanup(func() {
		client.Close()
		server.Close()
	})
	return client, server
}

// Workloads

// benchEnd is one end of a connection, with the library or without. One
// goroutine at a time may call recv, and any number send, unless said otherwise.
type benchEnd struct {
	send  func() error
	flush func() error // hands on what send keeps back
	recv  func() error
	abort func() // unblocks the other functions, at both ends
}

// newBenchEnd returns an end that sends v. Failures end its calls by way of
// abort, not of a context: Recv pays for one that can be cancelled.
func newBenchEnd[T any](conn *qsocket.Conn[T], mode string, v T) benchEnd {
	ctx := context.Background()
	end := benchEnd{
		send:  func() error { return conn.Send(ctx, v) },
		flush: func() error { return nil },
		recv: func() error {
			_, err := conn.Recv(ctx)
			return err
		},
		abort: func() { conn.NetConn().Close() },
	}
	if mode == "channel" {
		end.recv = func() error {
			if _, ok := <-conn.Messages(); !ok {
				return fmt.Errorf("Messages is closed: %w", errors.Join(conn.Err(), io.EOF))
			}
			return nil
		}
	}
	return end
}

// newBenchRawEnd returns an end that sends frame as the workload does it best
// without the library: streams through a buffer, single messages at once.
func newBenchRawEnd(nc net.Conn, w benchWork, frame []byte) benchEnd {
	var (
		mu  sync.Mutex // guards out when there are several senders
		out = bufio.NewWriterSize(nc, 64<<10)
		in  = bufio.NewReaderSize(nc, 64<<10)
		buf = make([]byte, len(frame))
	)
	write := func(b []byte) error {
		_, err := out.Write(b)
		return err
	}
	end := benchEnd{
		flush: out.Flush,
		recv: func() error {
			if _, err := io.ReadFull(in, buf[:4]); err != nil {
				return err
			}
			if n := binary.BigEndian.Uint32(buf); int(n) != len(frame)-4 {
				return fmt.Errorf("frame of %d bytes, want %d", n, len(frame)-4)
			}
			_, err := io.ReadFull(in, buf[4:])
			return err
		},
		abort: func() { nc.Close() },
	}
	switch w {
	case benchOneWay:
		end.send = func() error { return write(frame) }
	case benchSenders:
		end.send = func() error {
			mu.Lock()
			defer mu.Unlock()
			return write(frame)
		}
	case benchPingPong:
		end.send = func() error {
			_, err := nc.Write(frame)
			return err
		}
	}
	return end
}

func runBenchConns[T any](b *testing.B, w benchWork, transport, mode string, codec qsocket.Codec[T], v T) {
	_, next := benchPayloads(b, codec, v)
	near, far := benchConns(b, transport, qsocket.Protocol[T]{Codec: codec})
	b.SetBytes(int64(4 + len(next)))
	runBenchWork(b, w, newBenchEnd(near, mode, v), newBenchEnd(far, mode, v))
}

func runBenchRaw(b *testing.B, w benchWork, transport string, frame []byte) {
	near, far := benchSockets(b, transport)
	b.SetBytes(int64(len(frame)))
	runBenchWork(b, w, newBenchRawEnd(near, w, frame), newBenchRawEnd(far, w, frame))
}

// runBenchWork measures w between two ends. The first message, which may carry
// type definitions and start goroutines, is not part of it.
func runBenchWork(b *testing.B, w benchWork, near, far benchEnd) {
	b.ReportAllocs()
	sent := make(chan error, 1)
	go func() { // a raw pipe takes nothing before the far end reads
		sent <- errors.Join(near.send(), near.flush())
	}()
	if err := far.recv(); err != nil {
		b.Fatal(err)
	}
	if err := <-sent; err != nil {
		b.Fatal(err)
	}
	switch w {
	case benchOneWay:
		runBenchStream(b, 1, near, far)
	case benchSenders:
		runBenchStream(b, 16, near, far)
	case benchPingPong:
		runBenchPingPong(b, near, far)
	}
}

// runBenchStream sends b.N messages by a number of goroutines, and ends when the
// far end has received them all.
func runBenchStream(b *testing.B, senders int, near, far benchEnd) {
	n := b.N
	b.ResetTimer()

	received := make(chan error, 1)
	go func() { // ends after n messages or an error
		for i := range n {
			if err := far.recv(); err != nil {
				far.abort()
				received <- fmt.Errorf("receive message %d of %d: %w", i+1, n, err)
				return
			}
		}
		received <- nil
	}()

	sent := make(chan error, senders)
	send := func(n int) {
		for range n {
			if err := near.send(); err != nil {
				near.abort()
				sent <- fmt.Errorf("send: %w", err)
				return
			}
		}
		sent <- nil
	}
	for i := range senders - 1 {
		go send((n + i) / senders) // ends after its share of n or an error
	}
	send((n + senders - 1) / senders)
	var err error
	for range senders {
		err = errors.Join(err, <-sent)
	}
	if err == nil {
		err = near.flush()
	}

	lost := time.AfterFunc(30*time.Second, far.abort) // rather than wait for ever for what does not come
	err = errors.Join(err, <-received)
	b.StopTimer()
	lost.Stop()
	if err != nil {
		b.Fatal(err)
	}
}

// runBenchPingPong measures round trips to an echo.
func runBenchPingPong(b *testing.B, near, far benchEnd) {
	echo := make(chan error, 1)
	go func() { // ends with near.abort or an error of its own
		for {
			err := far.recv()
			if err == nil {
				err = far.send()
			}
			if err != nil {
				far.abort()
				echo <- fmt.Errorf("echo: %w", err)
				return
			}
		}
	}()

	for b.Loop() {
		err := near.send()
		if err == nil {
			err = near.recv()
		}
		if err != nil {
			near.abort()
			b.Fatal(errors.Join(err, <-echo))
		}
	}
	near.abort()
	<-echo
}

// othersWait reports whether no goroutine but the caller's runs or could run.
func othersWait() bool {
	buf := make([]byte, 16<<20)
	buf = buf[:runtime.Stack(buf, true)]
	return bytes.Count(buf, []byte(" [runn")) == 1 // running, runnable
}

// BenchmarkBroadcast is one message to 100 connections, through a Group and
// received by Recv on a goroutine for each. The time of an operation is that of
// 100 deliveries, and ns/delivery that of one.
func BenchmarkBroadcast(b *testing.B) {
	b.Run("codec=none/size=100B/members=100", func(b *testing.B) {
		message := make([]byte, 100)
		runBenchBroadcast(b, qsocket.Protocol[[]byte]{Codec: benchNone{message}}, message)
	})
	b.Run("codec=msgpack/size=100B/members=100", func(b *testing.B) {
		runBenchBroadcast(b, qsocket.Protocol[benchOrder]{}, benchSample)
	})
	b.Run("codec=gob/size=100B/members=100", func(b *testing.B) {
		runBenchBroadcast(b, qsocket.Protocol[benchOrder]{Codec: qsocket.Gob[benchOrder]()}, benchSample)
	})
}

func runBenchBroadcast[T any](b *testing.B, p qsocket.Protocol[T], v T) {
	const members = 100
	ctx := context.Background()
	ln := benchListen(b, "tcp", p)
	group := qsocket.NewGroup(p, qsocket.Block)
	var peers []*qsocket.Conn[T]
	for range members {
		client, server := benchDial(b, ln, p)
		group.Add(client)
		peers = append(peers, server)
	}
	b.ReportAllocs()
	b.ResetTimer()
	var receivers sync.WaitGroup
	for _, peer := range peers {
		receivers.Go(func() {
			for range b.N {
				if _, err := peer.Recv(ctx); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	for range b.N {
		if sent, err := group.Broadcast(ctx, v); sent != members || err != nil {
			b.Fatalf("Broadcast: %d, %v", sent, err)
		}
	}
	receivers.Wait()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*members), "ns/delivery")
}
