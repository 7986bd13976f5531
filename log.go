package qsocket

import (
	"context"
	"log/slog"
)

// logOpen tells of a connection that is ready for messages.
func (l *link) logOpen(protocol string) {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.log.Debug("qsocket: connection open", "peer", addr(l.sock.RemoteAddr()), "local", addr(l.sock.LocalAddr()), "protocol", protocol)
	}
}

// logEnd tells of its end: a failure or the peer's reason, or that all was well.
func (l *link) logEnd(err error) {
	level, what := slog.LevelDebug, "qsocket: connection ended"
	if err != nil {
		level, what = slog.LevelInfo, "qsocket: connection failed"
		if _, ok := err.(*RemoteError); ok {
			what = "qsocket: connection closed by peer"
		}
	}
	ctx := context.Background()
	if !l.log.Enabled(ctx, level) {
		return
	}
	var s Stats
	l.out.addTo(&s)
	received := l.in.published.messages.Load() // its receiver may be at work still
	args := []any{"peer", addr(l.sock.RemoteAddr()), "sent", s.MessagesSent, "received", received, "dropped", l.dropped.Load()}
	if err != nil {
		args = append(args, "err", err)
	}
	l.log.Log(ctx, level, what, args...)
}

// drop counts a message that a Group has skipped, and tells of the first.
func (l *link) drop() {
	if l.dropped.Add(1) == 1 {
		l.log.Warn("qsocket: slow consumer, dropping messages", "peer", addr(l.sock.RemoteAddr()))
	}
}
