package qsocket

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
)

// Serve runs handle in a goroutine for each connection, and closes the Conn
// when handle returns. A panic in handle ends that Conn only; it is logged at
// level Error with its stack (if there is an Options.Logger), and counted in
// Stats. The peer of a named protocol gets the reason "handler panicked", that
// of a raw one sees a Close.
//
// When ctx ends, Serve stops accepting, closes the Conns that it handed to
// handlers (which ends their loops over Messages), waits for the handlers, and
// returns nil. The context that handlers get ends with ctx, and when the
// handler returns.
//
// Serve also returns nil after Shutdown, once the handlers have returned, and
// after Close, at once: the handlers that run then go on with their Conns,
// under ctx. When accepting fails for good it returns Err(), at once as well.
func (l *Listener[T]) Serve(ctx context.Context, handle func(context.Context, *Conn[T])) error {
	if handle == nil {
		return errors.New("qsocket: Serve without a handler")
	}
	var handlers sync.WaitGroup
	for {
		c, err := l.Accept(ctx)
		if err != nil {
			break
		}
		handlers.Go(func() { l.serve(ctx, c, handle) })
	}
	if ctx.Err() != nil {
		_ = l.Close() // the program asked for the end
		handlers.Wait()
		return nil
	}
	l.mu.Lock()
	shutdown := l.shutdown
	l.mu.Unlock()
	if shutdown {
		handlers.Wait()
	}
	return l.Err()
}

// serve runs one handler. The Conn is closed when it returns, panics, or ctx
// ends.
func (l *Listener[T]) serve(ctx context.Context, c *Conn[T], handle func(context.Context, *Conn[T])) {
	ctx, cancel := context.WithCancel(ctx)
	closeConn := func(reason string) {
		if err := c.CloseWithReason(reason); err != nil {
			l.log.Warn("qsocket: close after handler", "peer", addr(c.RemoteAddr()), "err", err)
		}
	}
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		closeConn("")
	})
	defer func() {
		if !stop() {
			<-closed // Serve leaves nothing behind that closes or logs
		}
		reason := ""
		if r := recover(); r != nil {
			l.panics.Add(1)
			l.log.Error("qsocket: handler panicked", "peer", addr(c.RemoteAddr()), "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			reason = "handler panicked"
		}
		closeConn(reason)
		cancel()
	}()
	handle(ctx, c)
}
