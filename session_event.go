package qsocket

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/excerpt"
)

// SessionKind says what has happened to a session.
type SessionKind uint8

const (
	SessionDown    SessionKind = iota + 1 // it has lost its connection, because of Err
	SessionRetry                          // an attempt to connect again has failed, because of Err; the next one follows after Wait
	SessionResumed                        // it goes on, after Down without a connection
	SessionEnded                          // it is over: Err is that of the session
)

// String returns the name of the constant.
func (k SessionKind) String() string {
	switch k {
	case SessionDown:
		return "SessionDown"
	case SessionRetry:
		return "SessionRetry"
	case SessionResumed:
		return "SessionResumed"
	case SessionEnded:
		return "SessionEnded"
	}
	return fmt.Sprintf("SessionKind(%d)", uint8(k))
}

// SessionEvent is what Options.OnSession is told.
type SessionEvent struct {
	Kind     SessionKind
	Err      error         // of SessionDown, SessionRetry and SessionEnded; nil after a clean end
	Attempt  int           // of SessionRetry and SessionResumed: attempts since the connection was lost; at a server 1
	Down     time.Duration // of SessionRetry and SessionResumed: how long it has been without a connection
	Wait     time.Duration // of SessionRetry: until the next attempt
	Replayed int           // of SessionResumed: messages that are sent again, because the peer has not read them
}

// events calls Options.OnSession for what happens to one session, one event after the other, in a
// goroutine that exists while there are any: so a callback may take its time, and call the session.
type events struct {
	report func(SessionEvent)
	log    *slog.Logger

	mu      sync.Mutex // guards following
	queue   []SessionEvent
	running bool
	ended   bool // SessionEnded is the last one
}

// maxEvents bounds those that wait for a slow callback. Beyond that all but SessionEnded are left out.
const maxEvents = 64

func (e *events) add(event SessionEvent) {
	if e.report == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ended || len(e.queue) >= maxEvents && event.Kind != SessionEnded {
		return
	}
	e.ended = event.Kind == SessionEnded
	e.queue = append(e.queue, event)
	if !e.running {
		e.running = true
		go e.run() // ends when the queue is empty
	}
}

func (e *events) run() {
	for {
		e.mu.Lock()
		if len(e.queue) == 0 {
			e.running = false
			e.mu.Unlock()
			return
		}
		event := e.queue[0]
		e.queue = e.queue[1:]
		e.mu.Unlock()
		e.call(event)
	}
}

// call calls the callback, and logs it if that panics.
func (e *events) call(event SessionEvent) {
	defer func() {
		if r := recover(); r != nil {
			e.log.Error("qsocket: OnSession panicked", "panic", excerpt.Panic(r, excerpt.MaxText), excerpt.StackKey, string(debug.Stack()))
		}
	}()
	e.report(event)
}

const (
	firstBackoff = 200 * time.Millisecond
	maxBackoff   = 15 * time.Second
)

// defaultBackoff is full jitter: anything up to 200 ms, and twice as much after each failure, up to 15 s
// (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
func defaultBackoff(failures int) time.Duration {
	most := maxBackoff
	if failures < 8 {
		most = min(most, firstBackoff<<failures)
	}
	return rand.N(most + 1)
}
