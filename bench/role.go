package main

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/fb9bb4ed/qsocket/bench/peers"
)

// A role is what one party does in a workload. Roles come in pairs, and all of
// them end after a number of messages known beforehand: the side that has
// received them all says so with one more message, which ends the clock of the
// other. That works within a process, between two, and for every contestant.
type role string

const (
	hello    role = "hello"    // send one message on each connection, wait for one: type definitions, lazy goroutines
	answer   role = "answer"   // the other side of hello
	source   role = "source"   // stream on all connections, wait for the acknowledgements
	sink     role = "sink"     // receive what source or hub sends, acknowledge it
	hub      role = "hub"      // one goroutine that sends the same to all connections
	ping     role = "ping"     // send a message, wait for its echo
	window   role = "window"   // keep inFlight messages under way
	pipeline role = "pipeline" // the same with a goroutine for each direction
	echo     role = "echo"     // answer each message with itself
	pace     role = "pace"     // send a message every pause
	clock    role = "clock"    // receive what pace sends, and say how old it was
	load     role = "load"     // send when messages are due, and receive their echoes
	wait     role = "wait"     // wait for a message that does not come
)

const (
	inFlight = 64
	pause    = 300 * time.Microsecond
)

// firstStamp is the first of consecutive timestamps. It is as long as a real
// one in every encoding.
const firstStamp = 1_767_225_600_000_000_000

// A task is a role in figures.
type task struct {
	Role    role
	Count   int  // messages in all; a multiple of the number of connections times Senders
	Senders int  // goroutines on each connection, in role source
	Rate    int  // messages a second, in role load
	Mallocs bool // count the allocations of the process
}

// A report is what a task has measured.
type report struct {
	Elapsed time.Duration `json:",omitempty"` // from the first Send to the last acknowledgement
	Age     time.Duration `json:",omitempty"` // mean of the messages received, in role clock
	Mallocs uint64        `json:",omitempty"` // in the whole process
	Latency latency       // in role load
}

// perform does t and returns when it is done or has failed. After a failure the
// connections are closed, so that the other side fails, too.
func (p *party) perform(t task) (resp response) {
	server, ends := p.all()
	if t.Role == wait {
		if !p.contestant.Background {
			waitForNothing(ends)
		}
		return resp
	}
	var before, after runtime.MemStats
	if t.Mallocs {
		runtime.ReadMemStats(&before)
	}
	begin := time.Now()
	err := play(t, server, ends, &resp.report)
	resp.Elapsed = time.Since(begin)
	if t.Mallocs {
		runtime.ReadMemStats(&after)
		resp.Mallocs = after.Mallocs - before.Mallocs
	}
	if err != nil {
		resp.Error = fmt.Sprintf("%s: %v", t.Role, err)
		closeAll(ends)
	}
	return resp
}

func play(t task, server peers.Server, ends []peers.End, rep *report) error {
	each := t.Count / max(1, len(ends)) // messages of a connection
	switch t.Role {
	case hello:
		return runHello(ends)
	case answer:
		return runAnswer(ends)
	case source:
		return onAll(ends, func(end peers.End) error { return runSource(end, each, t.Senders) })
	case sink:
		return onAll(ends, func(end peers.End) error { return runSink(end, each) })
	case hub:
		return runHub(server, ends, each)
	case echo:
		return onAll(ends, func(end peers.End) error { return runEcho(end, each) })
	case load:
		var err error
		rep.Latency, err = runLoad(ends, t.Count, t.Rate)
		return err
	}
	if len(ends) != 1 {
		return fmt.Errorf("%d connections, want 1", len(ends))
	}
	end := ends[0]
	switch t.Role {
	case ping:
		return runPing(end, t.Count)
	case window:
		return runWindow(end, t.Count)
	case pipeline:
		return runPipeline(end, t.Count)
	case pace:
		return runPace(end, t.Count)
	case clock:
		age, err := runClock(end, t.Count)
		rep.Age = age
		return err
	}
	return errors.New("unknown role")
}

// onAll runs f for each end in a goroutine of its own, and returns the first error.
// The end of a connection unblocks those that its failure has left waiting.
func onAll(ends []peers.End, f func(peers.End) error) error {
	if len(ends) == 1 {
		return f(ends[0])
	}
	var (
		wg    sync.WaitGroup
		once  sync.Once
		first error
	)
	for _, end := range ends {
		wg.Go(func() { // ends with f
			if err := f(end); err != nil {
				once.Do(func() {
					first = err
					closeAll(ends)
				})
			}
		})
	}
	wg.Wait()
	return first
}

func runHello(ends []peers.End) error {
	for _, end := range ends {
		if err := post(end, firstStamp); err != nil {
			return fmt.Errorf("send: %w", err)
		}
	}
	for _, end := range ends {
		if _, err := end.Recv(); err != nil {
			return fmt.Errorf("receive: %w", err)
		}
	}
	return nil
}

func runAnswer(ends []peers.End) error {
	for _, end := range ends {
		stamp, err := end.Recv()
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		if err := post(end, stamp); err != nil {
			return fmt.Errorf("send: %w", err)
		}
	}
	return nil
}

// post sends a message that nothing follows.
func post(end peers.Sender, stamp int64) error {
	if err := end.Send(stamp); err != nil {
		return err
	}
	return end.Flush()
}

// waitForNothing leaves every connection as a program does that waits for messages.
func waitForNothing(ends []peers.End) {
	for _, end := range ends {
		go end.Recv() // ends when the connection is closed
	}
}
