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
	{"close", notClosing, func(c *conn) {
		c.startErr("Close", func(context.Context) error { return c.Close() })
	}},
	{"close-why", notClosing, func(c *conn) {
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
	{"leave", func(s *situation) bool { return s.handled && notClosing(s) }, func(c *conn) {
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

// far are sequences that are longer than those which are found, in settings where
// they make sense.
var far = [][]string{
	{"close-write", "peer-confirm", "break", "peer-half"},
	{"close-write", "peer-confirm", "shutdown"},
	{"close-write", "peer-confirm", "peer-half", "shutdown"},
	{"close-write", "peer-half", "shutdown"},
	{"close-write", "peer-half", "peer-full"},
	{"shutdown", "peer-confirm", "peer-half"},
	{"shutdown", "peer-message", "peer-half"},
	{"shutdown", "peer-message", "peer-full"},
	{"shutdown", "close", "peer-half"},
	{"peer-half", "close-write", "close"},
	{"peer-half", "break", "close-write"},
	{"break", "peer-half", "close"},
	{"break", "close-write", "close", "peer-message"},
	{"break", "peer-half", "shutdown"},
	{"break", "send", "peer-half"},
	{"break", "send", "peer-message", "close-write"},
	{"stall", "peer-half", "close-write"},
	{"stall", "peer-full", "close"},
	{"stall", "send", "peer-half"},
	{"stall", "send", "peer-full"},
	{"stall", "send", "peer-why"},
	{"stall", "send", "peer-full", "close"},
	{"stall", "send", "close-write", "peer-half"},
	{"stall", "send", "close-write", "peer-fin"},
	{"stall", "send", "close-write", "shutdown"},
	{"stall", "send", "close", "peer-half"},
	{"stall", "send", "close", "peer-full"},
	{"stall", "send", "close", "peer-fin"},
	{"stall", "send", "close", "close-write"},
	{"stall", "send", "close", "close-timeout"},
	{"stall", "send", "shutdown", "close"},
	{"stall", "send", "shutdown", "peer-fin"},
	{"stall", "send", "shutdown", "peer-full"},
	{"stall", "send", "shutdown", "leave"},
	{"stall", "send", "send", "close"},
	{"stall", "send", "peer-fin", "moment"},
	{"peer-message", "peer-message", "close"},
	{"peer-message", "peer-message", "close", "peer-full"},
	{"peer-message", "peer-message", "peer-half", "close-write"},
	{"peer-message", "peer-message", "peer-fin", "take"},
	{"peer-message", "peer-message", "peer-full", "close"},
	{"recv", "close-write", "peer-half", "peer-message"},
	{"recv", "peer-half", "recv", "close-write"},
	{"recv", "peer-fin", "send", "close-write"},
	{"messages", "stall", "send", "peer-full"},
	{"messages", "close-write", "peer-confirm", "break", "peer-half"},
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

// notClosing is for calls that tell the first of them what was lost. Of two that
// wait for it, either may be the first.
func notClosing(s *situation) bool { return !s.closing }

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
