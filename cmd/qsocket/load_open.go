package main

import (
	"context"
	"errors"
	"math"
	"net"
	"runtime"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// The open model: message i is due at i ÷ rate after the beginning, and goes over connection i modulo
// their number. A sender has a share of the connections. It never waits for one of them: where there is no room
// a message stays due, and is tried again at each turn, so that its latency grows and that of the others does not.
//
//	sleep until the next is due ──► send all that are due ──► try again those that were blocked ──┐
//	      ▲                                                                                        │
//	      └────────────────────────────────────────────────────────────────────────────────────────┘

// retry is how often a blocked connection is tried again.
const retry = 200 * time.Microsecond

// open starts the senders. They end when l.stop is closed.
func (l *load) open(senders *sync.WaitGroup) {
	n := min(max(1, runtime.GOMAXPROCS(0)/2), 8, len(l.conns))
	for first := range n {
		late := newHistogram()
		l.late = append(l.late, late)
		senders.Go(func() { l.send(first, n, late) })
	}
}

// due returns when message i is due, after the beginning.
func (l *load) due(i int) time.Duration {
	return time.Duration(float64(i) / l.command.Rate * float64(time.Second))
}

// dueBy returns how many messages are due at a time after the beginning.
func (l *load) dueBy(at time.Duration) int {
	return int(at.Seconds()*l.command.Rate) + 1
}

// send is a sender: of the connections whose remainder by step is first. It notes in late by how much what it sends
// is behind its time, whosever fault that is.
func (l *load) send(first, step int, late *hdrhistogram.Histogram) {
	conns := len(l.conns)
	last := int(math.Ceil(l.command.For.Seconds() * l.command.Rate)) // those that are due before the end
	var blocked []*loadConn
	stopping := false
	for next := 0; !stopping; { // the first message that has not been looked at
		select {
		case <-l.stop:
			stopping = true // what is due by now is sent
		default:
		}
		now := time.Since(l.begin)
		until := min(l.dueBy(now), last)
		for ; next < until; next++ {
			c := l.conns[next%conns]
			if c.number%step == first && !c.blocked && !c.failed && !l.catchUp(c, until, now, late) {
				blocked = append(blocked, c)
			}
		}
		still := blocked[:0]
		for _, c := range blocked {
			if !l.catchUp(c, until, now, late) {
				still = append(still, c)
			}
		}
		blocked = still
		switch {
		case stopping:
		case len(blocked) > 0:
			sleepUntil(time.Now().Add(retry))
		case next >= last:
			<-l.stop
		default:
			sleepUntil(l.begin.Add(l.due(next)))
		}
	}
}

// catchUp sends the messages of c that are among the first until of all. It reports whether there was
// room for them.
func (l *load) catchUp(c *loadConn, until int, now time.Duration, late *hdrhistogram.Histogram) bool {
	conns := len(l.conns)
	for !c.failed {
		i := c.sent*conns + c.number
		if i >= until {
			break
		}
		sent, err := c.TrySendPrepared(l.messages[i%len(l.messages)])
		if err != nil {
			c.failed = true
			if !errors.Is(err, net.ErrClosed) && c.Err() == nil { // else its receiver has the reason
				l.note(c, err)
			}
			break
		}
		if !sent {
			if !c.blocked {
				c.blocked = true
				l.meter.blocked.Add(1)
			}
			return false
		}
		c.sent++
		l.meter.sent.Add(1)
		_ = late.RecordValue(min(max(int64(now-l.due(i)), 1), mostRecord)) // it is within the bounds
		if l.command.Answers == 0 {
			l.meter.record(time.Since(l.begin)-l.due(i), c.number)
		}
	}
	c.blocked = false
	return true
}

// receive takes the answers of a connection until the server has ended it, or ctx ends.
func (l *load) receive(ctx context.Context, c *loadConn) {
	answers, conns := l.command.Answers, len(l.conns)
	for _, err := range c.All(ctx) {
		if err != nil {
			if ctx.Err() == nil {
				l.note(c, err)
			}
			return
		}
		c.answers++
		if answers > 0 && c.answers%answers == 0 {
			i := (c.answers/answers-1)*conns + c.number
			l.meter.record(time.Since(l.begin)-l.due(i), c.number)
		}
	}
	select {
	case <-l.stop:
	default:
		l.note(c, c.Err())
	}
}
