package qsockettest_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// arrival is what one Read returned.
type arrival struct {
	At    time.Duration // since the start
	Bytes string
}

// arrivals reads until the end. io.EOF is returned as nil.
func arrivals(r io.Reader, start time.Time) ([]arrival, error) {
	var got []arrival
	buf := make([]byte, 1<<20)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			got = append(got, arrival{time.Since(start), string(buf[:n])})
		}
		if err == io.EOF {
			return got, nil
		}
		if err != nil {
			return got, err
		}
	}
}

// bytesOf joins what has arrived.
func bytesOf(got []arrival) string {
	var sb strings.Builder
	for _, a := range got {
		sb.WriteString(a.Bytes)
	}
	return sb.String()
}

type faults = qsockettest.Faults

// inBubble runs test in a bubble, with a connection through a Proxy.
func inBubble(t *testing.T, up, down faults, test func(t *testing.T, p *qsockettest.Proxy, a, b *qsockettest.StreamConn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := qsockettest.NewProxy(1, up, down)
		a, b := p.Pipe()
		test(t, p, a, b)
		a.Close()
		b.Close()
		p.Close()
	})
}

const ms = time.Millisecond

// sendAt sends each text at its time, and closes.
func sendAt(t testing.TB, w io.WriteCloser, texts []arrival) {
	start := time.Now()
	for _, text := range texts {
		time.Sleep(text.At - time.Since(start))
		write(t, w, text.Bytes)
	}
	w.Close()
}

func TestProxyTimes(t *testing.T) {
	for _, test := range []struct {
		name   string
		faults faults
		send   []arrival
		want   []arrival
		end    time.Duration // when the end of file comes
	}{
		{"none", faults{},
			[]arrival{{0, "a"}, {10 * ms, "b"}},
			[]arrival{{0, "a"}, {10 * ms, "b"}}, 10 * ms},
		{"negative", faults{Latency: -1, Jitter: -1, Bandwidth: -1, Split: -1, Merge: -1, DribbleBytes: -1, DribbleEvery: -1, FlipRate: -1},
			[]arrival{{0, "a"}, {10 * ms, "b"}},
			[]arrival{{0, "a"}, {10 * ms, "b"}}, 10 * ms},
		{"latency", faults{Latency: 50 * ms},
			[]arrival{{0, "a"}, {10 * ms, "b"}},
			[]arrival{{50 * ms, "a"}, {60 * ms, "b"}}, 60 * ms},
		{"bandwidth", faults{Bandwidth: 100}, // 2 bytes in 20 ms
			[]arrival{{0, "abcde"}, {100 * ms, "f"}},
			[]arrival{{20 * ms, "ab"}, {40 * ms, "cd"}, {50 * ms, "e"}, {110 * ms, "f"}}, 110 * ms},
		{"slow bandwidth", faults{Bandwidth: 2},
			[]arrival{{0, "abc"}},
			[]arrival{{500 * ms, "a"}, {1000 * ms, "b"}, {1500 * ms, "c"}}, 1500 * ms},
		{"bandwidth and latency", faults{Bandwidth: 100, Latency: time.Second},
			[]arrival{{0, "abcd"}},
			[]arrival{{1020 * ms, "ab"}, {1040 * ms, "cd"}}, 1040 * ms},
		{"merge", faults{Merge: 20 * ms},
			[]arrival{{0, "a"}, {10 * ms, "b"}, {19 * ms, "c"}, {20 * ms, "d"}, {70 * ms, "e"}},
			[]arrival{{20 * ms, "abc"}, {40 * ms, "d"}, {90 * ms, "e"}}, 90 * ms},
		{"merge and latency", faults{Merge: 20 * ms, Latency: 100 * ms},
			[]arrival{{0, "a"}, {10 * ms, "b"}, {30 * ms, "c"}},
			[]arrival{{120 * ms, "ab"}, {150 * ms, "c"}}, 150 * ms},
		{"dribble", faults{DribbleBytes: 2, DribbleEvery: time.Second},
			[]arrival{{0, "abcde"}},
			[]arrival{{0, "ab"}, {1000 * ms, "cd"}, {2000 * ms, "e"}}, 2000 * ms},
		{"dribble of single bytes", faults{DribbleEvery: time.Second},
			[]arrival{{500 * ms, "ab"}, {600 * ms, "c"}},
			[]arrival{{500 * ms, "a"}, {1500 * ms, "b"}, {2500 * ms, "c"}}, 2500 * ms},
		{"split to bytes", faults{Split: 1},
			[]arrival{{0, "abc"}},
			[]arrival{{0, "a"}, {0, "b"}, {0, "c"}}, 0},
		{"flipped bits", faults{FlipBits: []int64{13, 0}}, // of byte 1, of byte 0
			[]arrival{{0, "@"}, {10 * ms, "AB"}},
			[]arrival{{0, "A"}, {10 * ms, "aB"}}, 10 * ms},
		{"flipped at all bits", faults{FlipRate: 1},
			[]arrival{{0, "\x00\x0f"}, {10 * ms, "\xff"}},
			[]arrival{{0, "\xff\xf0"}, {10 * ms, "\x00"}}, 10 * ms},
		{"nothing", faults{Latency: 50 * ms}, nil, nil, 50 * ms},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, back := range []bool{false, true} {
				up, down := test.faults, faults{}
				if back {
					up, down = down, up
				}
				inBubble(t, up, down, func(t *testing.T, _ *qsockettest.Proxy, a, b *qsockettest.StreamConn) {
					if back {
						a, b = b, a
					}
					start := time.Now()
					go sendAt(t, a, test.send) // ends when all is sent
					got, err := arrivals(b, start)
					if end := time.Since(start); end != test.end || err != nil {
						t.Errorf("end after %v with %v, want after %v without an error", end, err, test.end)
					}
					if diff := cmp.Diff(test.want, got); diff != "" {
						t.Errorf("arrivals (-want +got):\n%s", diff)
					}
				})
			}
		})
	}
}

func TestProxyJitter(t *testing.T) {
	inBubble(t, faults{Latency: 10 * ms, Jitter: 20 * ms}, faults{}, func(t *testing.T, _ *qsockettest.Proxy, a, b *qsockettest.StreamConn) {
		var send []arrival
		for i := range 100 {
			send = append(send, arrival{time.Duration(i) * 100 * ms, string(rune('A' + i%26))})
		}
		start := time.Now()
		go sendAt(t, a, send)
		got, err := arrivals(b, start)
		if err != nil || len(got) != len(send) {
			t.Fatalf("%d arrivals, %v, want %d", len(got), err, len(send))
		}
		least, most := time.Hour, time.Duration(0)
		for i := range got {
			delay := got[i].At - send[i].At
			least, most = min(least, delay), max(most, delay)
			if got[i].Bytes != send[i].Bytes {
				t.Fatalf("piece %d is %q, want %q", i, got[i].Bytes, send[i].Bytes)
			}
		}
		if least < 10*ms || least > 12*ms || most > 30*ms || most < 28*ms {
			t.Errorf("delays from %v to %v, want about 10ms to 30ms", least, most)
		}
	})
}

func TestProxyJitterKeepsOrder(t *testing.T) {
	inBubble(t, faults{Jitter: time.Second, Split: 3}, faults{}, func(t *testing.T, _ *qsockettest.Proxy, a, b *qsockettest.StreamConn) {
		var sent strings.Builder
		go func() { // ends when all is sent
			for i := range 200 {
				write(t, a, fmt.Sprint(i, " "))
				time.Sleep(ms)
			}
			a.Close()
		}()
		for i := range 200 {
			sent.WriteString(fmt.Sprint(i, " "))
		}
		got, err := arrivals(b, time.Now())
		if err != nil || bytesOf(got) != sent.String() {
			t.Errorf("got %q, %v", bytesOf(got), err)
		}
		for _, a := range got {
			if len(a.Bytes) > 3 {
				t.Errorf("a piece of %d bytes, want at most 3", len(a.Bytes))
			}
		}
	})
}

func TestProxySplit(t *testing.T) {
	inBubble(t, faults{Split: 5}, faults{}, func(t *testing.T, _ *qsockettest.Proxy, a, b *qsockettest.StreamConn) {
		text := strings.Repeat("0123456789", 100)
		go func() { write(t, a, text); a.Close() }()
		got, err := arrivals(b, time.Now())
		if err != nil || bytesOf(got) != text {
			t.Fatalf("got %q, %v", bytesOf(got), err)
		}
		sizes := make(map[int]int)
		for _, a := range got {
			sizes[len(a.Bytes)]++
		}
		for size := 1; size <= 5; size++ {
			if sizes[size] < 30 { // of about 333 pieces
				t.Errorf("%d pieces of %d bytes, want about a fifth of %d", sizes[size], size, len(got))
			}
			delete(sizes, size)
		}
		if len(sizes) > 0 {
			t.Errorf("other pieces: %v", sizes)
		}
	})
}

func TestProxyFlipRate(t *testing.T) {
	inBubble(t, faults{FlipRate: 0.01}, faults{}, func(t *testing.T, _ *qsockettest.Proxy, a, b *qsockettest.StreamConn) {
		const size = 50_000
		go func() { write(t, a, string(make([]byte, size))); a.Close() }()
		got, _ := arrivals(b, time.Now())
		ones := 0
		for _, c := range []byte(bytesOf(got)) {
			for ; c != 0; c &= c - 1 {
				ones++
			}
		}
		if want := size * 8 / 100; ones < want*9/10 || ones > want*11/10 {
			t.Errorf("%d bits flipped, want about %d", ones, want)
		}
	})
}

func TestProxyCutAfter(t *testing.T) {
	const text = "0123456789"
	for n := range int64(len(text) + 1) {
		for _, how := range []qsockettest.Cut{qsockettest.FIN, qsockettest.RST} {
			inBubble(t, faults{Cut: how, CutAfter: n, Latency: ms}, faults{}, func(t *testing.T, _ *qsockettest.Proxy, a, b *qsockettest.StreamConn) {
				if n > 0 {
					write(t, a, text[:3])
					write(t, a, text[3:])
				}
				got, err := arrivals(b, time.Now())
				_, errA := arrivals(a, time.Now())
				if bytesOf(got) != text[:n] {
					t.Errorf("cut after %d: got %q", n, bytesOf(got))
				}
				for _, err := range []error{err, errA} {
					if how == qsockettest.FIN && err != nil || how == qsockettest.RST && !errors.Is(err, syscall.ECONNRESET) {
						t.Errorf("cut %d after %d: %v", how, n, err)
					}
				}
				if how == qsockettest.FIN { // what is sent now vanishes
					for range 100 {
						write(t, a, strings.Repeat("x", 10_000))
					}
				}
			})
		}
	}
}

// A cut that comes by a call does not wait for bytes, nor for a direction that stalls.
func TestProxyCut(t *testing.T) {
	for _, test := range []struct {
		how  qsockettest.Cut
		want error
	}{
		{qsockettest.FIN, nil},
		{qsockettest.RST, syscall.ECONNRESET},
		{qsockettest.BlackHole, os.ErrDeadlineExceeded},
		{qsockettest.NoCut, os.ErrDeadlineExceeded},
	} {
		inBubble(t, faults{Stall: true}, faults{Latency: time.Second}, func(t *testing.T, p *qsockettest.Proxy, a, b *qsockettest.StreamConn) {
			write(t, a, "stalled")
			write(t, b, "under way")
			time.Sleep(500 * ms)
			p.Cut(test.how)
			for _, nc := range []*qsockettest.StreamConn{a, b} {
				nc.SetReadDeadline(time.Now().Add(100 * ms))
				wantEnd(t, nc, test.want)
			}
		})
	}
}

// Neither end hears anything from then on, not even that the other has gone; and
// what either sends vanishes.
func TestProxyBlackHole(t *testing.T) {
	inBubble(t, faults{Cut: qsockettest.BlackHole, CutAfter: 5}, faults{}, func(t *testing.T, p *qsockettest.Proxy, a, b *qsockettest.StreamConn) {
		write(t, b, "before")
		wantRead(t, a, "before")
		write(t, a, "hello, world")
		wantRead(t, b, "hello")
		for range 10 {
			write(t, a, strings.Repeat("x", 100_000))
			write(t, b, strings.Repeat("x", 100_000))
		}
		setLinger0(t, a)
		a.Close()
		b.SetReadDeadline(time.Now().Add(time.Hour))
		wantEnd(t, b, os.ErrDeadlineExceeded)
		write(t, b, strings.Repeat("x", 100_000))
		p.Cut(qsockettest.RST)
		b.SetReadDeadline(time.Time{})
		wantEnd(t, b, syscall.ECONNRESET)
	})
}

// A direction that stalls takes nothing but what the sender's end holds.
func TestProxyStall(t *testing.T) {
	inBubble(t, faults{}, faults{}, func(t *testing.T, p *qsockettest.Proxy, a, b *qsockettest.StreamConn) {
		write(t, a, "before")
		wantRead(t, b, "before")
		p.Set(faults{Stall: true}, faults{})
		a.SetWriteDeadline(time.Now().Add(time.Minute))
		n, err := a.Write(make([]byte, 1<<20))
		if n != 64<<10 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("wrote %d bytes, %v, want 64 KiB and a timeout", n, err)
		}
		closeWrite(t, a)
		b.SetReadDeadline(time.Now().Add(time.Minute))
		wantEnd(t, b, os.ErrDeadlineExceeded)
		write(t, b, "the other way")
		wantRead(t, a, "the other way")

		p.Set(faults{}, faults{})
		b.SetReadDeadline(time.Time{})
		wantRead(t, b, string(make([]byte, n)))
		wantEnd(t, b, nil)
	})
}

// What the Proxy holds is bounded, with and without a delay.
func TestProxyHolds(t *testing.T) {
	const ends = 2 * 64 << 10 // in memory, before the Proxy and after it
	for _, test := range []struct {
		faults faults
		most   int
	}{
		{faults{}, 64<<10 + 64<<10}, // held, and the piece that is being written
		{faults{Latency: time.Second}, 1<<20 + 64<<10},
		{faults{Latency: time.Hour}, 1 << 20},
	} {
		inBubble(t, test.faults, faults{}, func(t *testing.T, p *qsockettest.Proxy, a, b *qsockettest.StreamConn) {
			a.SetWriteDeadline(time.Now().Add(time.Minute))
			n, err := a.Write(make([]byte, 10<<20))
			if n > test.most+ends || n < test.most || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%+v: took %d bytes, %v, want a timeout after %d", test.faults, n, err, test.most)
			}
		})
	}
	// 1 MiB for each second of latency.
	inBubble(t, faults{Latency: time.Second}, faults{}, func(t *testing.T, p *qsockettest.Proxy, a, b *qsockettest.StreamConn) {
		start := time.Now()
		go func() { write(t, a, string(make([]byte, 5<<20))); a.Close() }()
		got, err := arrivals(b, start)
		if err != nil || len(bytesOf(got)) != 5<<20 {
			t.Fatalf("%d bytes, %v, want 5 MiB", len(bytesOf(got)), err)
		}
		if last := got[len(got)-1].At; last != 5*time.Second {
			t.Errorf("5 MiB in %v, want 5s", last)
		}
	})
}

// Faults that change meet the bytes that are under way.
func TestProxySet(t *testing.T) {
	inBubble(t, faults{Latency: time.Hour}, faults{}, func(t *testing.T, p *qsockettest.Proxy, a, b *qsockettest.StreamConn) {
		start := time.Now()
		write(t, a, "under way")
		time.Sleep(time.Second)
		p.Set(faults{Latency: 3 * time.Second}, faults{})
		wantRead(t, b, "under way")
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("arrived after %v, want 3s", took)
		}
		p.Set(faults{Cut: qsockettest.RST, CutAfter: 2}, faults{}) // more have passed
		wantEnd(t, b, syscall.ECONNRESET)
	})
}

// A reset is passed on, after what was sent before it and at its time.
func TestProxyPassesReset(t *testing.T) {
	inBubble(t, faults{Latency: time.Second}, faults{Latency: time.Minute}, func(t *testing.T, p *qsockettest.Proxy, a, b *qsockettest.StreamConn) {
		start := time.Now()
		write(t, a, "before")
		synctest.Wait() // the Proxy has it
		time.Sleep(ms)
		setLinger0(t, a)
		a.Close()
		wantRead(t, b, "before")
		wantEnd(t, b, syscall.ECONNRESET)
		if took := time.Since(start); took != 1001*ms {
			t.Errorf("reset after %v, want 1.001s", took)
		}
	})
}

// An end that can no longer be written to has gone, and the other learns of it
// after what came before.
func TestProxyPassesBrokenWrite(t *testing.T) {
	inBubble(t, faults{}, faults{Latency: time.Second}, func(t *testing.T, p *qsockettest.Proxy, a, b *qsockettest.StreamConn) {
		write(t, b, "last words")
		b.Close()
		start := time.Now()
		read := async(func() []arrival { got, _ := arrivals(a, start); return got })
		var err error
		for err == nil {
			_, err = a.Write([]byte("x"))
			time.Sleep(100 * ms)
		}
		want := []arrival{{time.Second, "last words"}}
		if diff := cmp.Diff(want, <-read); diff != "" {
			t.Errorf("arrivals (-want +got):\n%s", diff)
		}
		if !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("write: %v, want %v", err, syscall.EPIPE)
		}
	})
}

// Close ends everything at once, whatever is under way: the bubble would not
// end if a goroutine were left.
func TestProxyClose(t *testing.T) {
	for _, f := range []faults{
		{}, {Stall: true}, {Latency: time.Hour}, {DribbleEvery: time.Hour},
		{Cut: qsockettest.BlackHole}, {Cut: qsockettest.FIN},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := qsockettest.NewProxy(1, f, f)
			a, b := p.Pipe()
			write(t, a, strings.Repeat("x", 50_000))
			synctest.Wait()
			start := time.Now()
			p.Close()
			p.Close()
			if took := time.Since(start); took != 0 {
				t.Errorf("%+v: Close took %v", f, took)
			}
			for _, nc := range []*qsockettest.StreamConn{a, b} {
				if _, err := arrivals(nc, start); f.Cut != qsockettest.FIN && !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("%+v: after Close: %v, want %v", f, err, syscall.ECONNRESET)
				}
				nc.Close()
			}
			late, _ := p.Pipe()
			wantEnd(t, late, syscall.ECONNRESET)
			late.Close()
		})
	}
}

// A reset is one, also where the ends are not read, so that nothing
// but the cut keeps the connection from being over.
func TestResetWhileStalled(t *testing.T) {
	for range 300 {
		synctest.Test(t, func(t *testing.T) {
			stalled := qsockettest.Faults{Stall: true}
			p := qsockettest.NewProxy(1, stalled, stalled)
			defer p.Close()
			a, b := p.Pipe()
			synctest.Wait()
			p.Cut(qsockettest.RST)
			for _, end := range []net.Conn{a, b} {
				if _, err := end.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
					t.Fatalf("got %v, want ECONNRESET", err)
				}
				end.Close()
			}
		})
	}
}
