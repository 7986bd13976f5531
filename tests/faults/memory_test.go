package faults

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// residentMemory returns what this process has in memory, bytes, when nothing is there
// that could be given back.
func residentMemory() int {
	runtime.GC()
	debug.FreeOSMemory()
	return testkit.ProcStatus("VmRSS")
}

// Connections that come and go leave nothing behind.
func TestFault10ConnectAndClose(t *testing.T) {
	testkit.CheckGoroutines(t)
	if _, ok := isChild(t); !ok {
		if testkit.ProcStatus("VmRSS") == 0 {
			t.Skip("needs /proc/self/status")
		}
		told := runChild(t, nil)
		t.Logf("%s connections one after the other: %s of memory before, %s after", told["rounds"], told["before"], told["after"])
		return
	}
	ln := testkit.ListenOn(t, "tcp", testkit.Named, nil)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	served := testkit.Serve(ctx, ln, testkit.Echo)
	connect := func() {
		c, err := qsocket.Dial(ctx, "tcp", ln.Addr().String(), testkit.Named, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Send(ctx, "hello"); err != nil {
			t.Fatal(err)
		}
		if m, err := c.Recv(ctx); m != "hello" || err != nil {
			t.Fatalf("got %q, %v", m, err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		testkit.WaitClosed(t, "Done", c.Done())
	}
	rounds := fullCount(2000, 20_000)
	for range 500 { // so that what is made once is there
		connect()
	}
	testkit.Eventually(t, "the server's ends", func() bool { return ln.Stats().Open == 0 })
	before := residentMemory()
	for range rounds {
		connect()
	}
	testkit.Eventually(t, "the server's ends", func() bool { return ln.Stats().Open == 0 })
	after := residentMemory()
	report("rounds", rounds)
	report("before", fmt.Sprint(before>>10, " KiB"))
	report("after", fmt.Sprint(after>>10, " KiB"))
	if after > before+before/5 {
		t.Errorf("%d KiB before, %d KiB after, want at most 20 %% more", before>>10, after>>10)
	}
	cancel()
	if err := testkit.Result(t, "Serve", served); err != nil {
		t.Error(err)
	}
}

// A program that has set GOMEMLIMIT below what its buffers could take goes on,
// and at no less than half of its speed.
func TestFault27MemoryLimit(t *testing.T) {
	testkit.CheckGoroutines(t)
	if _, ok := isChild(t); ok {
		memoryLimit(t)
		return
	}
	if openFiles() < 1200 {
		t.Skipf("only %d files may be open, want 1200", openFiles())
	}
	var rates, work [2]float64
	var peaks [2]string
	runs := 2 // of which the better one counts: the machine has other work, too
	if testkit.RaceEnabled {
		runs = 1
	}
	for range runs {
		for i, limit := range []string{"off", "256MiB"} {
			told := runChild(t, []string{"GOMEMLIMIT=" + limit})
			number := func(key string) float64 {
				f, err := strconv.ParseFloat(told[key], 64)
				if err != nil {
					t.Fatal(err)
				}
				return f
			}
			rates[i], work[i], peaks[i] = max(rates[i], number("rate")), max(work[i], number("work")), told["peak"]
		}
	}
	if testkit.RaceEnabled {
		t.Log("under the race detector with 100 connections, and of them one run each")
	}
	t.Logf("500 connections with messages of 64 KiB both ways: %.0f MiB/s and %s without a limit, %.0f MiB/s (%.0f %%) and %s with GOMEMLIMIT=256MiB; for each second of a processor %.0f and %.0f MiB (%.0f %%)",
		rates[0], peaks[0], rates[1], 100*rates[1]/rates[0], peaks[1], work[0], work[1], 100*work[1]/work[0])
	// A process that collects garbage all the time has nothing left for work. It is
	// the time of processors that tells, whatever else the machine does.
	if work[1] < work[0]/2 {
		t.Errorf("%.0f MiB for each second of a processor with the limit, %.0f without", work[1], work[0])
	}
}

// memoryLimit moves messages both ways over 500 connections, both ends of which are here.
func memoryLimit(t *testing.T) {
	const size = 64 << 10
	conns, each := 500, fullCount(10, 40)
	if testkit.RaceEnabled { // ten times slower, and larger
		conns = 100
	}
	ctx := context.Background() // a child that hangs is ended by its -test.timeout
	message := make([]byte, size)
	// No timeout of the library's: on a busy machine a connection may wait for its turn
	// longer than any of them.
	options := &qsocket.Options{CloseTimeout: testkit.Timeout, FrameTimeout: -1, Heartbeat: -1}
	var wg sync.WaitGroup
	var all []*qsocket.Conn[[]byte]
	for range conns {
		a, b := testkit.Pair(t, "tcp", rawNamed, options, options)
		all = append(all, a, b)
	}
	start, worked := time.Now(), processTime()
	for _, c := range all {
		wg.Go(func() {
			for range each {
				if err := c.Send(ctx, message); err != nil {
					t.Error(err)
					return
				}
			}
			if err := c.CloseWrite(); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			n := 0
			for m := range c.Messages() {
				if n++; len(m) != size {
					t.Errorf("message of %d bytes", len(m))
				}
			}
			if n != each {
				t.Errorf("%d messages, then %v", n, c.Err())
			}
		})
	}
	wg.Wait()
	moved := float64(2 * conns * each * size >> 20)
	report("rate", moved/time.Since(start).Seconds())
	report("work", moved/max(processTime()-worked, 1).Seconds())
	report("peak", fmt.Sprint(testkit.ProcStatus("VmHWM")>>20, " MiB"))
}
