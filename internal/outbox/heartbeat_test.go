package outbox_test

import (
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/monotime"
	"github.com/fb9bb4ed/qsocket/internal/outbox"
	"github.com/fb9bb4ed/qsocket/internal/socket"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// idle runs an Outbox on which only heartbeats are sent, for a hundred intervals, and
// returns how often it looked, how often it wrote, and the times of the looks.
func idle(t *testing.T, interval, phase time.Duration) (looks, writes int, times []time.Duration) {
	t.Helper()
	na, nb := net.Pipe()
	defer na.Close()
	go io.Copy(io.Discard, nb) // ends with na
	sock := socket.New(na)
	var o outbox.Outbox
	o.Init(&sock, outbox.Config{Framing: wire.Uint32, MaxPayload: 100, SendBuffer: 100, Received: new(atomic.Uint64)})
	time.Sleep(phase)
	began := monotime.Now()
	for wait := o.StartHeartbeat(interval); monotime.Now()+wait < began+100*interval; {
		time.Sleep(wait)
		looks++
		times = append(times, monotime.Now())
		wait = o.TickHeartbeat(monotime.Now())
	}
	time.Sleep(time.Nanosecond) // so that the last is written
	return looks, int(o.Counters().Writes), times
}

// An idle connection costs one look and one write in each interval, or a few more, where the
// interval is short and no look is in vain; and otherwise two looks for each write.
func TestIdleHeartbeats(t *testing.T) {
	for _, interval := range []time.Duration{time.Millisecond, 7 * time.Millisecond, 20 * time.Millisecond, 100 * time.Millisecond, 333 * time.Millisecond, time.Second, 15 * time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			looks, writes, _ := idle(t, interval, 0)
			least, most, each := 99, 134, 1
			if interval >= time.Second {
				least, most, each = 160, 200, 2
			}
			if d := looks - each*writes; d < 0 || d >= each || writes < least || writes > most {
				t.Errorf("%v: %d looks and %d writes in 100 intervals, want a write for %d, %d to %d", interval, looks, writes, each, least, most)
			}
		})
	}
}

// Connections that have begun at different times come to look at the same times, so that one
// wake-up of the process serves many.
func TestHeartbeatsGather(t *testing.T) {
	for interval, most := range map[time.Duration]int{100 * time.Millisecond: 4, time.Second: 16, 15 * time.Second: 16} {
		synctest.Test(t, func(t *testing.T) {
			together := map[time.Duration]int{}
			start := monotime.Now()
			results := make(chan []time.Duration)
			const conns = 50
			for i := range conns {
				go func() { // ends after 100 intervals
					_, _, times := idle(t, interval, interval*time.Duration(i)/conns)
					results <- times
				}()
			}
			for range conns {
				for _, at := range <-results {
					if at > start+50*interval && at <= start+51*interval {
						together[at]++
					}
				}
			}
			if len(together) > most || len(together) == 0 {
				t.Errorf("%v: %d connections look at %d times in an interval, want at most %d", interval, conns, len(together), most)
			}
		})
	}
}

// Nothing is looked for where the peer does not care.
func TestNoHeartbeatsAsked(t *testing.T) {
	var o outbox.Outbox
	if wait := o.StartHeartbeat(0); wait != 0 {
		t.Errorf("got %v, want never", wait)
	}
	if wait := o.TickHeartbeat(monotime.Now()); wait != 0 {
		t.Errorf("got %v, want never", wait)
	}
}
