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
		l.log.Debug("qsocket: connection open", "peer", socket.AddrString(l.sock.RemoteAddr()), "local", socket.AddrString(l.sock.LocalAddr()), "protocol", l.owner.Protocol())
	}
}

// logReason logs why this end closes.
func (l *Link) logReason(reason Reason) {
	args := []any{"peer", socket.AddrString(l.sock.RemoteAddr()), "reason", reason.Words}
	if reason.Code != 0 {
		args = append(args, "code", reason.Code)
	}
	l.log.Info("qsocket: closing connection", args...)
}

// logGoingAway logs that the peer drains.
func (l *Link) logGoingAway(reason string) {
	l.log.Info("qsocket: peer is going away", "peer", socket.AddrString(l.sock.RemoteAddr()), "reason", reason)
}

// logEnd logs the end: a failure or the peer's reason, or that all was well.
func (l *Link) logEnd(err error, remote bool) {
	level, what := slog.LevelDebug, "qsocket: connection ended"
	switch {
	case remote:
		level, what = slog.LevelInfo, "qsocket: connection closed by peer"
	case err != nil:
		level, what = slog.LevelInfo, "qsocket: connection failed"
	}
	ctx := context.Background()
	if !l.log.Enabled(ctx, level) {
		return
	}
	sent := l.Out.Counters()
	received, bytesReceived := l.In.Counters()
	args := []any{
		"peer", socket.AddrString(l.sock.RemoteAddr()), "protocol", l.owner.Protocol(), "duration", monotime.Now() - l.opened,
		"sent", sent.Messages, "received", received, "bytesSent", sent.Bytes, "bytesReceived", bytesReceived, "dropped", l.skipped.Load(),
	}
	if err != nil {
		args = append(args, "err", err)
	}
	l.log.Log(ctx, level, what, args...)
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

// LogDisconnect logs that a Group ends the connection.
func (l *Link) LogDisconnect() {
	l.log.Warn("qsocket: slow consumer, disconnecting", "peer", socket.AddrString(l.sock.RemoteAddr()))
}

// Skipped returns how many messages CountSkipped has counted.
func (l *Link) Skipped() uint64 { return l.skipped.Load() }
