package ends_test

import (
	"context"
	"io"
	"slices"
	"strings"
	"time"
)

// event is something that can happen to a Conn.
type event struct {
	name    string
	enabled func(s *situation) bool // whether it makes sense
	happen  func(c *conn)
}

// events are all of them, in the order in which they are tried.
//
// A Shutdown whose ctx has ended before is not among them: it closes the socket while
// what it has started may or may not have been written.
var events = []event{
	// The program.
	{"send", notUnderWay("Send"), func(c *conn) {
		c.startErr("Send", func(ctx context.Context) error { return c.Send(ctx, "m") })
	}},
	{"flush", notUnderWay("Flush"), func(c *conn) { c.startErr("Flush", c.Flush) }},
	{"close-write", notUnderWay("CloseWrite"), func(c *conn) {
		c.startErr("CloseWrite", func(context.Context) error { return c.CloseWrite() })
	}},
	{"close", notUnderWay("Close"), func(c *conn) {
		c.startErr("Close", func(context.Context) error { return c.Close() })
	}},
	{"close-why", notUnderWay("CloseWithReason"), func(c *conn) {
		c.startErr("CloseWithReason", func(context.Context) error { return c.CloseWithReason("why") })
	}},
	{"shutdown", notUnderWay("Shutdown"), func(c *conn) { c.startErr("Shutdown", c.Shutdown) }},
	{"shutdown-ctx", underWay("Shutdown"), func(c *conn) { c.cancel("Shutdown") }},
	{"recv", notUnderWay("Recv"), func(c *conn) { c.start("Recv", c.Recv) }},
	{"recv-ctx", underWay("Recv"), func(c *conn) { c.cancel("Recv") }},
	{"messages", func(s *situation) bool { return !s.started }, func(c *conn) {
		c.queue, c.done = c.Messages(), c.Done()
	}},
	{"take", func(s *situation) bool { return s.queued > 0 }, func(c *conn) { <-c.queue }},
	{"panic", always, func(c *conn) {
		c.startErr("Send", func(ctx context.Context) error { return c.Send(ctx, panics) })
	}},
	{"evict", underWay("Send"), func(c *conn) { // its buffer is full
		c.startErr("Broadcast", func(ctx context.Context) error {
			_, err := c.group.Broadcast(ctx, "m")
			return err
		})
	}},
	{"leave", func(s *situation) bool { return s.handled }, func(c *conn) {
		c.said["leave"] = true
		c.leave()
	}},

	// The peer.
	{"peer-message", mayTalk(2), says("message", message)},
	{"peer-nonsense", mayTalk(3), says("nonsense", noMessage)},
	{"peer-part", mayTalk(3), says("part", part)},
	{"peer-too-large", mayTalk(3), says("too-large", tooLarge)},
	{"peer-half", mayTalkNamed, says("half", half)},
	{"peer-full", mayTalkNamed, says("full", full)},
	{"peer-why", mayTalkNamed, says("why", reason)},
	{"peer-confirm", mayTalkNamed, says("confirm", confirm)},
	{"peer-fin", mayEnd, func(c *conn) { c.endInput("fin", io.EOF) }},
	{"peer-reset", mayEnd, func(c *conn) { c.endInput("reset", errReset) }},

	// The network and the clock.
	{"stall", func(s *situation) bool { return !s.stalled && !s.broken && !s.closed }, func(c *conn) {
		c.socket.change(func() { c.socket.stalled = true })
	}},
	{"resume", func(s *situation) bool { return s.stalled && !s.closed }, func(c *conn) {
		c.socket.change(func() { c.socket.stalled = false })
	}},
	{"break", func(s *situation) bool { return !s.broken && !s.closed }, func(c *conn) {
		c.socket.change(func() { c.socket.broken = errPipe })
	}},
	{"moment", busy, func(*conn) { time.Sleep(moment) }},
	{"close-timeout", busy, func(*conn) { time.Sleep(closeTimeout) }},
	{"long", busy, func(*conn) { time.Sleep(long) }},
}

func always(*situation) bool { return true }

// busy is for the clock, which does nothing to a Conn that is over.
func busy(s *situation) bool { return !s.closed || len(s.pending) > 0 }

func underWay(call string) func(*situation) bool {
	return func(s *situation) bool { return slices.Contains(s.pending, call) }
}

func notUnderWay(call string) func(*situation) bool {
	return func(s *situation) bool { return !slices.Contains(s.pending, call) }
}

// mayTalk allows the peer to send up to that many things before it must end.
func mayTalk(most int) func(*situation) bool {
	return func(s *situation) bool {
		n := 0
		for _, what := range s.peer {
			switch what {
			case "message", "nonsense":
				n++
			case "part", "too-large", "fin", "reset":
				return false
			}
		}
		return n < most && !s.closed
	}
}

func mayTalkNamed(s *situation) bool {
	return s.named && mayTalk(99)(s) && strings.Count(strings.Join(s.peer, " "), "confirm") < 2
}

func mayEnd(s *situation) bool {
	return !s.closed && !slices.Contains(s.peer, "fin") && !slices.Contains(s.peer, "reset")
}

// says returns the event that the peer sends b.
func says(name, b string) func(*conn) {
	return func(c *conn) { c.input(name, b) }
}

// find returns the event of that name.
func find(name string) event {
	return events[slices.IndexFunc(events, func(e event) bool { return e.name == name })]
}

// happen makes the events happen, one after another.
func (c *conn) happen(names []string) {
	for _, name := range names {
		c.look()
		find(name).happen(c)
	}
}
