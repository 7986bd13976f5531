package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fb9bb4ed/qsocket"
)

// catCommand sends the lines of its input and prints what comes, both at once.
type catCommand struct {
	Address string   `arg:"" help:"Where the server listens: tcp://host:port, unix://path or tls://host:port."`
	Count   int      `short:"n" placeholder:"N" help:"Leave when N messages have come and the input has ended. It is not well (exit code 1) if the server ends before."`
	Wait    bool     `short:"w" help:"Leave when the server has confirmed that it took every message: without waiting for its answers, or behind those of -n."`
	Format  string   `short:"f" placeholder:"FORMAT" help:"What to print of a message: %m the message, %v its value without the case, %c its case, %n its number, %s its size in bytes, %t when it came, %d milliseconds since the one before, %%."`
	Times   bool     `short:"t" help:"Put the time, and the time since the message before, in front of each."`
	Message []string `short:"x" sep:"none" placeholder:"JSON" help:"A message to send, instead of lines of the input; may be repeated."`
	peerOptions
}

// Help is what --help adds.
func (c *catCommand) Help() string {
	return `
A message is a line of JSON, both ways; of a union it is {"case":"Placed","value":{…}}. What is printed
can be sent again. At the end of the input the server is told that no more comes, the rest of what it
sends is printed, and the program ends when the server has ended:

  qsocket cat localhost:7070 <orders.jsonl >answers.jsonl
  qsocket cat -x '{"case":"Order","value":{"ID":1,"Quantity":5}}' -n 1 localhost:7070
  qsocket cat --codec json --framing Netstring unix:///run/feed.sock </dev/null | jq .price
`
}

func (c *catCommand) Run(p *program) error {
	if c.Count < 0 {
		return usagef("-n %d: want 1 or more", c.Count)
	}
	print, err := newPrinter(p.out, c)
	if err != nil {
		return err
	}
	server, err := c.learn(p.ctx, c.Address)
	if err != nil {
		return err
	}
	conn, err := c.talk(p.ctx, c.Address, server)
	if err != nil {
		return advise(c.Address, &c.peerOptions, err)
	}
	defer conn.Close()
	r := &catRun{catCommand: c, p: p, conn: conn, values: server.values, print: print, sent: make(chan struct{})}
	return r.run()
}

// catRun is a conversation.
//
//	input ──► send ──► half goodbye        at the end of the input
//	print ◄── receive                      until the server ends, -n is reached or -w is to be asked
//	          Shutdown or Close
type catRun struct {
	*catCommand
	p      *program
	conn   *qsocket.Conn[[]byte]
	values encoder
	print  *printer

	sent    chan struct{} // closed at the end of the input
	sendErr error         // set before that
	leaving atomic.Bool   // the server goes away
	failed  atomic.Bool   // a message was not sent

	saying sync.Mutex // guards p.err
}

// complain says at once what is wrong. It returns the exit code that this means, as an error.
func (r *catRun) complain(err error) error {
	r.saying.Lock()
	defer r.saying.Unlock()
	r.p.complain(err)
	return silently(exitCode(err))
}

// encoder makes payloads of texts, and texts of payloads.
type encoder interface {
	Append(dst, text []byte) ([]byte, error)
	Decode(dst, payload []byte) ([]byte, error)
	Case(payload []byte) (name string, ok bool)
}

func (r *catRun) run() error {
	ctx, leave := context.WithCancel(r.p.ctx)
	defer leave()
	// It ends with the input, or with the program: a read of the input cannot be interrupted.
	go func() {
		if r.sendErr = r.send(); r.sendErr != nil {
			r.failed.Store(true) // before the server learns that no more comes, and ends
			var coded *codedError
			switch {
			case errors.As(r.sendErr, &coded):
				r.sendErr = r.complain(r.sendErr)
			case r.leaving.Load():
				r.sendErr = fmt.Errorf("%s: the server goes away: %w", r.Address, r.sendErr)
			}
		}
		if r.Wait && r.Count == 0 {
			leave()
		} else {
			_ = r.conn.CloseWrite()
		}
		close(r.sent)
	}()
	go r.heed() // ends with the connection
	err := r.receive(ctx, leave)
	if flushErr := r.print.flush(); err == nil {
		err = flushErr
	}
	return r.finish(err)
}

// heed ends the sending when the server says that it goes away.
func (r *catRun) heed() {
	select {
	case <-r.conn.GoingAway():
		r.leaving.Store(true)
		_ = r.conn.CloseWrite()
	case <-r.conn.Done():
	}
}

// send sends the messages of the command line, or the lines of the input. What it returns an error
// for is the first one that was not sent.
func (r *catRun) send() (err error) {
	lines := newLines(r.p.in)
	var payload []byte
	for n := 1; ; n++ {
		var text []byte
		what := "message"
		if r.Message != nil {
			if n > len(r.Message) {
				return nil
			}
			text = []byte(r.Message[n-1])
		} else {
			what = "line"
			if text, err = lines.next(); err == io.EOF {
				return nil
			} else if err != nil {
				return usagef("line %d: %w", lines.number, err)
			}
			n = lines.number
		}
		if payload, err = r.values.Append(payload[:0], text); err != nil {
			return usagef("%s %d: %w", what, n, err)
		}
		switch err = r.conn.Send(r.p.ctx, payload); {
		case err == nil:
		case errors.Is(err, net.ErrClosed) || r.p.ctx.Err() != nil:
			return fmt.Errorf("%s %d was not sent: %w", what, n, err)
		default: // of this message
			return usagef("%s %d: %w", what, n, err)
		}
	}
}

// receive prints what comes until ctx ends, which leave brings about, or the server ends.
func (r *catRun) receive(ctx context.Context, leave func()) error {
	var broken error
	messages := r.conn.Messages()
	for n := 0; ; {
		var payload []byte
		var ok bool
		select {
		case payload, ok = <-messages:
		case <-ctx.Done():
			return broken
		}
		if !ok {
			return r.ended(n, broken)
		}
		if r.Count > 0 && n == r.Count {
			continue // until the input has ended
		}
		n++
		if err := r.print.message(n, payload, r.values); err != nil {
			return err
		} else if r.print.broken != nil && broken == nil {
			broken = r.complain(fmt.Errorf("message %d: %w", n, r.print.broken))
		}
		if len(messages) == 0 {
			if err := r.print.flush(); err != nil {
				return err
			}
		}
		if n == r.Count {
			if isTerminal(r.p.in) && r.Message == nil {
				leave()
				continue
			}
			go func() { // ends with the input or the receiving
				select {
				case <-r.sent:
					leave()
				case <-ctx.Done():
				}
			}()
		}
	}
}

// ended is what there is to say when the server has ended after n messages.
func (r *catRun) ended(n int, broken error) error {
	err := r.conn.Err()
	switch {
	case err != nil:
		return advise(r.Address, &r.peerOptions, err)
	case r.Count > 0 && n < r.Count && !r.inputFailed():
		return fmt.Errorf("%s: the server ended after %d of %d messages", r.Address, n, r.Count)
	}
	return broken
}

// inputFailed reports whether not all of the input was sent, which has been told.
func (r *catRun) inputFailed() bool { return r.failed.Load() }

// inputGrace is how long the end of the input is awaited when the server has ended: that of a
// file is there at once.
const inputGrace = time.Second

// finish ends the connection, and returns the error to complain about: the first in the order of what
// caused what.
func (r *catRun) finish(err error) error {
	if r.p.ctx.Err() != nil { // an interrupt is a way to end
		_ = r.conn.Close()
		return err
	}
	if err == nil && r.Wait {
		ctx, cancel := r.afterTimeout(r.p.ctx)
		defer cancel()
		switch err = r.conn.Shutdown(ctx); {
		case errors.Is(err, qsocket.ErrUnconfirmed):
			err = fmt.Errorf("%s: the server ended without confirming that it took every message", r.Address)
		case errors.Is(err, context.DeadlineExceeded):
			err = fmt.Errorf("%s: no confirm within %v: the server's program does not read what clients send", r.Address, r.Timeout)
		case err != nil:
			err = advise(r.Address, &r.peerOptions, err)
		}
	} else if closeErr := r.conn.Close(); err == nil && closeErr != nil {
		err = advise(r.Address, &r.peerOptions, closeErr)
	}
	if isTerminal(r.p.in) && r.Message == nil {
		select {
		case <-r.sent:
		default:
			return err
		}
	}
	select {
	case <-r.sent:
		// A line that was refused has been told already, and has its exit code.
		var coded *codedError
		if r.sendErr != nil && (err == nil || errors.As(r.sendErr, &coded) && coded.err == nil) {
			if err != nil {
				r.complain(err)
			}
			err = r.sendErr
		}
	case <-time.After(inputGrace):
		if err == nil && r.leaving.Load() {
			err = fmt.Errorf("%s: the server goes away before the input has ended", r.Address)
		} else if err == nil {
			err = fmt.Errorf("%s: the server ended before the input did", r.Address)
		}
	}
	return err
}
