package link

import (
	"context"
	"log/slog"

	"github.com/fb9bb4ed/qsocket/internal/monotime"
	"github.com/fb9bb4ed/qsocket/internal/socket"
)

// LogOpen logs a connection that is ready for messages.
func (l *Link) LogOpen() {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.log.Debug("qsocket: connection open", append(l.logPeer(), "local", socket.AddrString(l.sock.LocalAddr()), "protocol", l.owner.Protocol())...)
	}
}

// LogReason logs why this end closes.
func (l *Link) LogReason(reason Reason) {
	args := append(l.logPeer(), "reason", reason.Words)
	if reason.Code != 0 {
		args = append(args, "code", reason.Code)
	}
	l.log.Info("qsocket: closing connection", args...)
}

// logGoingAway logs that the peer drains.
func (l *Link) logGoingAway(reason string) {
	l.log.Info("qsocket: peer is going away", "peer", socket.AddrString(l.sock.RemoteAddr()), "reason", reason)
}

// logEnd logs the end: a failure or the peer's reason, or that all was well. It is the only line about
// a failure.
func (l *Link) logEnd(err error, remote bool) {
	level, what := slog.LevelDebug, "qsocket: connection ended"
	switch {
	case remote:
		level, what = l.owner.Severity(err), "qsocket: connection closed by peer"
	case err != nil:
		level, what = l.owner.Severity(err), "qsocket: connection failed"
	}
	ctx := context.Background()
	if !l.log.Enabled(ctx, level) {
		return
	}
	sent := l.Out.Counters()
	received, bytesReceived := l.In.Counters()
	args := append(l.logPeer(),
		"protocol", l.owner.Protocol(), "duration", monotime.Now()-l.opened,
		"sent", sent.Messages, "received", received, "bytesSent", sent.Bytes, "bytesReceived", bytesReceived, "dropped", l.skipped.Load(),
	)
	if err != nil {
		args = append(args, "err", err)
	}
	l.log.Log(ctx, level, what, args...)
}

// logPeer returns the attributes that say which connection it is.
func (l *Link) logPeer() []any {
	args := []any{"peer", socket.AddrString(l.sock.RemoteAddr())}
	if t := l.Out.Tracer(); t != nil {
		args = append(args, "conn", t.ID)
	}
	return args
}

// CountSkipped counts a message that a Group has skipped, and logs the first.
func (l *Link) CountSkipped() {
	if l.skipped.Add(1) == 1 {
		l.log.Warn("qsocket: slow consumer, dropping messages", "peer", socket.AddrString(l.sock.RemoteAddr()))
	}
}

// CountUnknown counts a message that is dropped because its case is not known, and logs the
// first.
func (l *Link) CountUnknown(tag uint64) {
	if l.unknown.Add(1) == 1 {
		l.log.Info("qsocket: message of an unknown case, skipping such", "peer", socket.AddrString(l.sock.RemoteAddr()), "protocol", l.owner.Protocol(), "tag", tag)
	}
}

// Unknown returns how many messages CountUnknown has counted.
func (l *Link) Unknown() uint64 { return l.unknown.Load() }

// Skipped returns how many messages CountSkipped has counted.
func (l *Link) Skipped() uint64 { return l.skipped.Load() }
