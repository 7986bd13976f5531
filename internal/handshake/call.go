package handshake

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/fb9bb4ed/qsocket/internal/excerpt"
)

// Panic is a panic in a handshake: of a callback of the program's, or of the TLS Config.
type Panic struct {
	Value any
	Stack []byte
}

func (e *Panic) Error() string {
	return "qsocket: panic in the handshake: " + excerpt.Panic(e.Value, excerpt.MaxPart)
}

// unfinished is the error of who had to give up because ctx ended, before something had
// happened.
type unfinished struct {
	cause error
	who   string // who should have done something, and
	what  string // what that is, in the past
}

func (e unfinished) Error() string {
	return fmt.Sprintf("qsocket: handshake: %v before %s had %s", e.cause, e.who, e.what)
}
func (e unfinished) Unwrap() error { return e.cause }

// Call returns what f returns, a callback of the program with that name. A panic of f is a
// *Panic. When ctx ends Call returns, even if f does not: f is left behind then, and what it
// returns is dropped.
func Call[R any](ctx context.Context, name string, f func() (R, error)) (R, error) {
	result := make(chan received[R], 1)
	go func() { // ends with f, whenever that is; leaves its result
		r := received[R]{err: errors.New("qsocket: " + name + " has ended its goroutine")} // by runtime.Goexit
		defer func() {
			if v := recover(); v != nil {
				r.err = &Panic{v, debug.Stack()}
			}
			result <- r
		}()
		r.it, r.err = f()
	}()
	var r received[R]
	select {
	case r = <-result:
	case <-ctx.Done():
		r.err = ctx.Err()
	}
	if r.err != nil && ctx.Err() != nil {
		r.err = unfinished{ctx.Err(), name, "answered"}
	}
	return r.it, r.err
}
