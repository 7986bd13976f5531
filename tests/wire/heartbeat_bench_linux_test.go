package wire

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/vmihailenco/msgpack/v5"
)

// BenchmarkSilentClients measures what clients that say nothing, and want to hear
// heartbeats, take of a server's processor: ms of it in a second, so 10 are one per cent of a
// core. The clients are in a process of their own.
//
//	go test -run - -bench SilentClients -benchtime 1x ./tests/wire
func BenchmarkSilentClients(b *testing.B) {
	if addr := os.Getenv(silentClients); addr != "" {
		beSilentClients(addr)
	}
	for _, c := range []struct {
		clients int
		every   time.Duration
	}{{100, 100 * time.Millisecond}, {600, 100 * time.Millisecond}, {100, time.Second}, {5000, 15 * time.Second}} {
		b.Run(fmt.Sprintf("clients=%d/hb=%v", c.clients, c.every), func(b *testing.B) {
			for b.Loop() {
				used, sent := serveSilent(b, c.clients, c.every, 10*time.Second)
				b.ReportMetric(float64(used)/float64(10*time.Millisecond), "cpu-ms/s")
				b.ReportMetric(float64(sent)/10, "writes/s")
			}
		})
	}
}

// silentClients, in the environment, makes the benchmark its own clients. It is
// the server's address, how many there are, and the interval in ms.
const silentClients = "QSOCKET_SILENT_CLIENTS"

// serveSilent returns the processor time of this process for as long as window lasts, and
// the number of its writes.
func serveSilent(b *testing.B, clients int, every, window time.Duration) (used time.Duration, writes uint64) {
	ln, err := qsocket.Listen("tcp", "127.0.0.1:0", testkit.Named, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer testkit.EndListener(ln)
	conns := make([]*qsocket.Conn[string], 0, clients)
	cmd := exec.CommandContext(b.Context(), os.Args[0], "-test.run=^$", "-test.bench=SilentClients", "-test.benchtime=1x")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %d", silentClients, ln.Addr(), clients, every.Milliseconds()))
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	defer cmd.Wait()
	defer in.Close() // ends the clients
	for len(conns) < clients {
		c, err := ln.Accept(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		c.Done()
		conns = append(conns, c)
	}
	count := func() (n uint64) {
		for _, c := range conns {
			n += c.Stats().Flushes
		}
		return n
	}
	before, sent := processorTime(), count()
	time.Sleep(window)
	return processorTime() - before, count() - sent
}

func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// beSilentClients greets, reads, and ends with its standard input.
func beSilentClients(words string) {
	addr, rest, _ := strings.Cut(words, " ")
	number, interval, _ := strings.Cut(rest, " ")
	n, _ := strconv.Atoi(number)
	every, _ := strconv.Atoi(interval)
	body, _ := msgpack.Marshal(map[string]any{"proto": "text/1", "codec": "text", "max": 1 << 20, "hb": every})
	hello := append([]byte{'Q', 'S', 'K', 1, 0, 0, 0, byte(len(body))}, body...)
	for range n {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			panic(err)
		}
		_, _ = nc.Write(hello)
		go io.Copy(io.Discard, nc)
	}
	_, _ = bufio.NewReader(os.Stdin).ReadByte()
	os.Exit(0)
}
