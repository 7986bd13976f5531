package main

import (
	"context"
	"time"
)

// The closed model: each connection has so many messages under way, and an answer sends the next one.

// exchange sends and receives over one connection until the end, or ctx ends.
func (l *load) exchange(ctx context.Context, c *loadConn) {
	for range l.command.Closed {
		if !l.another(ctx, c) {
			return
		}
	}
	for _, err := range c.All(ctx) {
		if err != nil {
			if ctx.Err() == nil {
				l.note(c, err)
			}
			return
		}
		if c.answers++; c.answers%l.command.Answers != 0 {
			continue
		}
		select {
		case sent := <-c.times:
			l.meter.record(time.Since(sent), c.number)
		default: // the server sends of its own accord
			continue
		}
		select {
		case <-l.stop:
			if len(c.times) == 0 { // all has been answered
				return
			}
		default:
			if !l.another(ctx, c) {
				return
			}
		}
	}
	select {
	case <-l.stop:
	default:
		l.note(c, c.Err())
	}
}

// another sends the next message of c.
func (l *load) another(ctx context.Context, c *loadConn) bool {
	i := c.sent*len(l.conns) + c.number
	c.times <- time.Now() // there is room for each that is under way
	if err := c.SendPrepared(ctx, l.messages[i%len(l.messages)]); err != nil {
		if ctx.Err() == nil {
			l.note(c, err)
		}
		return false
	}
	c.sent++
	l.meter.sent.Add(1)
	return true
}
