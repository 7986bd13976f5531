package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/testkit"

	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/recording"
)

// stuck is an output that takes nothing until it is let go.
type stuck struct {
	safeBuffer
	free    chan struct{}
	skipped atomic.Bool // it has been told that something was skipped
}

// Where no one reads what is printed, nothing is held up: decoding loses a part, says how much, and
// goes on at a frame. The numbers of the frames are right again, too. The recording has everything.
func TestTapLags(t *testing.T) {
	s := serve(t, ticks, nil, echoing[map[string]any])
	file := filepath.Join(t.TempDir(), "rec")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	out, errs := &stuck{free: make(chan struct{})}, new(safeBuffer)
	code := make(chan int, 1)
	go func() { // ends with its only connection
		code <- run(ctx, []string{"tap", "--once", "--json", "--listen", "127.0.0.1:0", "--to", s.url, "--record", file}, nil, out, errs)
	}()
	waitFor(t, "the tap to listen", func() bool { return listeningLine.MatchString(errs.String()) })
	c := dialTap(t, listeningLine.FindStringSubmatch(errs.String())[1], ticks, nil)
	received := testkit.Async(func() error {
		n := 0
		for _, err := range c.All(ctx) {
			if err != nil {
				return err
			}
			if n++; n == 2000 {
				close(out.free) // the last ones are shown
			}
		}
		if n != 2100 {
			return fmt.Errorf("%d messages came back, want 2100", n)
		}
		return nil
	})
	for i := range 2000 {
		if err := c.Send(ctx, map[string]any{"i": i, "pad": strings.Repeat("x", 8000)}); err != nil {
			t.Fatal(err)
		}
	}
	<-out.free
	for i := range 100 {
		if err := c.Send(ctx, map[string]any{"last": i}); err != nil {
			t.Fatal(err)
		}
		if i == 50 { // by now there is room
			waitFor(t, "the printer", out.skipped.Load)
		}
	}
	_ = c.CloseWrite()
	if err := <-received; err != nil {
		t.Error(err)
	}
	c.Close()
	if got := <-code; got != exitWell {
		t.Errorf("got the code %d, %s", got, errs)
	}
	o := outcome{out: out.String()}
	frames, skipped, shown := 0, uint64(0), map[string]uint64{}
	last := 0
	for _, e := range o.events(t) {
		if e.N > 0 {
			if e.N <= last {
				t.Fatalf("frame %d after frame %d", e.N, last)
			}
			last = e.N
			frames++
		}
		if e.Type == "skipped" {
			skipped += *e.Count
		}
		if e.From != "" {
			shown[e.From] += e.Size
		}
	}
	recorded := map[recording.Side]uint64{}
	readRecording(t, file, func(e *recording.Entry) {
		if e.Kind == recording.Data {
			recorded[e.From] += uint64(len(e.Data))
		}
	})
	if skipped == 0 || uint64(frames)+skipped != uint64(last) {
		t.Errorf("%d frames were shown and %d skipped, and the last one has the number %d", frames, skipped, last)
	}
	// Each gap ends a frame of which a part may have been in the queue.
	for _, side := range []recording.Side{recording.Client, recording.Server} {
		if all := recorded[side]; shown[side.String()] > all || all < 2000*8000 || all-shown[side.String()] > 1<<20 {
			t.Errorf("%v: %d bytes recorded, %d shown or skipped", side, all, shown[side.String()])
		}
	}
	if !strings.Contains(o.out, `{"last":99}`) {
		t.Error("the last message is not shown")
	}
}

// What a connection costs a tap while a frame has not come whole, both ways: it is kept up to the size of
// what is decoded.
func TestTapMemory(t *testing.T) {
	if testkit.RaceEnabled {
		t.Skip("measures memory")
	}
	const conns, size = 12, tapKeep
	nl := listenLoopback(t)
	accepted := make(chan net.Conn, conns)
	go func() { // ends with nl
		for {
			nc, err := nl.Accept()
			if err != nil {
				return
			}
			accepted <- nc
		}
	}()
	tap := tapTo(t, nl.Addr().String(), "--no-ask", "--json")
	part := framed(helloOf("memory/1", "msgpack"), make([]byte, size))
	part = part[:len(part)-1]
	before := testkit.LiveHeap()
	var ends []net.Conn
	for range conns {
		client, err := net.Dial("tcp", strings.TrimPrefix(tap.addr, "tcp://"))
		if err != nil {
			t.Fatal(err)
		}
		server := <-accepted
		ends = append(ends, client, server)
		for _, pair := range [][2]net.Conn{{client, server}, {server, client}} {
			arrived := testkit.Async(func() error { _, err := io.CopyN(io.Discard, pair[1], int64(len(part))); return err })
			if _, err := pair[0].Write(part); err != nil {
				t.Fatal(err)
			}
			if err := <-arrived; err != nil {
				t.Fatal(err)
			}
		}
	}
	waitFor(t, "the hellos to be shown", func() bool { return strings.Count(tap.out.String(), `"type":"hello"`) == 2*conns })
	var per int64
	waitFor(t, "no more than 3 MiB for each connection", func() bool { // the last pieces may still be in the queues
		per = testkit.HeapPer(conns, before)
		return per <= 3<<20
	})
	if per < size {
		t.Errorf("%d KiB for each connection: the frames are not kept, so this measures nothing", per>>10)
	}
	t.Logf("%d KiB for each connection", per>>10)
	for _, nc := range ends {
		nc.Close()
	}
}

func (s *stuck) Write(b []byte) (int, error) {
	<-s.free
	if bytes.Contains(b, []byte(`"type":"skipped"`)) {
		s.skipped.Store(true)
	}
	return s.safeBuffer.Write(b)
}
