package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/fb9bb4ed/qsocket"

	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/recording"
)

// replayCommand sends again what one side of a recording has sent.
type replayCommand struct {
	File   string   `arg:"" help:"A recording of qsocket tap."`
	To     string   `required:"" placeholder:"ADDR" help:"The server: tcp://host:port, unix://path or tls://host:port."`
	Conn   []uint32 `placeholder:"N" help:"Number of a connection of the recording; may be repeated. Without it: all, each as a connection of its own, beginning when it began."`
	Side   string   `enum:"client,server" default:"client" help:"Whose messages to send: client or server. The other's are what is expected."`
	Speed  float64  `default:"1" placeholder:"X" help:"1: as it was; 10: ten times as fast; 0: as fast as the server takes it."`
	Loop   int      `default:"1" placeholder:"N" help:"How many times, one after the other."`
	Ignore []string `placeholder:"FIELD" help:"Name of a field that may differ, wherever it is; may be repeated."`
	peerOptions
}

// Help is what --help adds.
func (c *replayCommand) Help() string {
	return `
Messages are sent as they were, at the times at which they came; hellos, heartbeats and goodbyes are those of
a client of today, so a recording of a session is sent over a plain connection. Message n that comes back is compared with message n of the
recording. If one differs, is missing or was not expected, the exit code is 1:

  qsocket replay today.rec --to localhost:7070
  qsocket replay today.rec --to localhost:7070 --conn 3 --speed 10 --ignore At
`
}

// maxReplayed is how many connections are replayed at a time.
const maxReplayed = 10_000

func (c *replayCommand) check() error {
	switch {
	case c.Speed < 0 || c.Speed > 1e6:
		return usagef("--speed %v: want 0 to 1,000,000", c.Speed)
	case c.Loop < 1:
		return usagef("--loop %d: want 1 or more", c.Loop)
	}
	return nil
}

func (c *replayCommand) Run(p *program) error {
	if err := c.check(); err != nil {
		return err
	}
	all, err := readTakes(c.File)
	if err != nil {
		return usage(err)
	}
	if all.cut != nil {
		fmt.Fprintln(p.err, "qsocket:", shown(all.cut.Error()))
	}
	if err := all.pick(c.Conn); err != nil {
		return usage(err)
	}
	mine := recording.Client
	if c.Side == "server" {
		mine = recording.Server
	}
	for _, t := range all.list {
		if err := t.sides[mine].err; err != nil {
			return usagef("%s: connection %d: the %s's side is not decoded, so it cannot be sent again: %s", c.File, t.conn, mine, shown(err.Error()))
		}
	}
	if n := len(all.list); n == 0 {
		return usagef("%s: no connection is in it", c.File)
	} else if n > maxReplayed {
		return usagef("%s: %d connections, want at most %d at a time: choose some with --conn", c.File, n, maxReplayed)
	}
	if c.Codec == "" && c.Framing == "" && c.Name == "" {
		c.Codec, c.Framing = all.about.Codec, all.about.Framing // of raw mode, or nothing
	}
	server, err := c.learn(p.ctx, c.To)
	if err != nil {
		return err
	}
	if codec := all.codec(); codec != server.Codec {
		return fmt.Errorf("%s: the server's codec is %s, and the recording's is %s", c.To, quoted(server.Codec), quoted(codec))
	}
	r := &replay{replayCommand: c, p: p, mine: mine, server: server, first: all.list[0].open}
	for range c.Loop {
		if err := r.round(all); err != nil || p.ctx.Err() != nil {
			return err
		}
	}
	return r.finish(p, all)
}

// replay is a run of the command.
type replay struct {
	*replayCommand
	p      *program
	mine   recording.Side
	server *spoken
	first  time.Time // in the recording

	mu   sync.Mutex // guards following
	sum  replayResult
	late []time.Duration
}

// round plays all connections once.
func (r *replay) round(all *takes) error {
	begin := time.Now()
	errs := make(chan error, len(all.list))
	for _, t := range all.list {
		go func() { errs <- r.play(t, begin) }() // ends with its connection
	}
	var first error
	for range all.list {
		if err := <-errs; first == nil {
			first = err
		}
	}
	return first
}

// due is when something of the recording is due in a round.
func (r *replay) due(begin, at time.Time) time.Time {
	if r.Speed == 0 {
		return begin
	}
	return begin.Add(time.Duration(float64(at.Sub(r.first)) / r.Speed))
}

// wait waits until a time, or ctx ends.
func (r *replay) wait(ctx context.Context, until time.Time) {
	if d := time.Until(until) - 2*time.Millisecond; d > 0 { // in a way that can be interrupted
		select {
		case <-time.After(d):
		case <-ctx.Done():
			return
		}
	}
	sleepUntil(until)
}

// play plays one connection.
func (r *replay) play(t *take, begin time.Time) error {
	r.wait(r.p.ctx, r.due(begin, t.open))
	if r.p.ctx.Err() != nil {
		return nil
	}
	conn, err := r.talk(r.p.ctx, r.To, r.server)
	if err != nil {
		return fmt.Errorf("connection %d: %w", t.conn, advise(r.To, &r.peerOptions, err))
	}
	defer conn.Close()
	sent := make(chan error, 1)
	go func() { sent <- r.send(conn, t, begin) }() // ends with the messages, or the connection
	return r.compare(conn, t, sent)
}

// send sends the messages of a connection, each when it is due.
func (r *replay) send(conn *qsocket.Conn[[]byte], t *take, begin time.Time) error {
	side := &t.sides[r.mine]
	for i := range side.messages {
		m := &side.messages[i]
		due := r.due(begin, m.at)
		if r.Speed > 0 {
			r.wait(r.p.ctx, due)
		}
		late := time.Since(due)
		if err := conn.Send(r.p.ctx, m.payload); err != nil {
			return fmt.Errorf("connection %d: message %d of %d was not sent: %w", t.conn, i+1, len(side.messages), err)
		}
		r.mu.Lock()
		r.sum.Sent++
		if r.Speed > 0 {
			r.late = append(r.late, late)
		}
		r.mu.Unlock()
	}
	if !side.done.IsZero() {
		if r.Speed > 0 {
			r.wait(r.p.ctx, r.due(begin, side.done))
		}
		_ = conn.CloseWrite()
	}
	return nil
}

// compare compares what comes with what came. It ends when the server does, or, if that did not end
// in the recording, when all that is expected has come, or nothing has for a while.
func (r *replay) compare(conn *qsocket.Conn[[]byte], t *take, sent chan error) error {
	side := &t.sides[1-r.mine]
	want := side.messages
	ends := !t.sides[r.mine].done.IsZero() || !side.done.IsZero()
	messages := conn.Messages()
	var sendErr error
	var quiet <-chan time.Time // while everything has been sent
	n := 0
	for sent != nil || ends || n < len(want) {
		select {
		case m, ok := <-messages:
			if !ok {
				r.missing(t, want, n)
				if sent != nil {
					sendErr = <-sent
				}
				return r.outcome(conn, sendErr)
			}
			r.answer(t, want, n, m)
			n++
		case sendErr = <-sent:
			sent = nil
			if sendErr != nil {
				ends = true // the connection has ended, and says why
			}
		case <-quiet:
			r.missing(t, want, n)
			return sendErr
		case <-r.p.ctx.Done():
			return nil
		}
		if sent == nil {
			quiet = time.After(r.Timeout)
		}
	}
	return nil
}

// outcome is the error of a connection that the server has ended.
func (r *replay) outcome(conn *qsocket.Conn[[]byte], sendErr error) error {
	if err := conn.Err(); err != nil {
		return advise(r.To, &r.peerOptions, err)
	}
	return sendErr
}
