package testkit

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// LogRecorder keeps what is logged.
type LogRecorder struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Logger returns a Logger that writes to r.
func (r *LogRecorder) Logger() *slog.Logger { return slog.New(slog.NewTextHandler(r, nil)) }

// Write takes one record.
func (r *LogRecorder) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.Write(b)
}

// Text returns all records.
func (r *LogRecorder) Text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.String()
}

// Count returns the number of records that contain all of the given texts.
func (r *LogRecorder) Count(texts ...string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for line := range strings.Lines(r.buf.String()) {
		if !slices.ContainsFunc(texts, func(s string) bool { return !strings.Contains(line, s) }) {
			n++
		}
	}
	return n
}

// Warnings is a slog.Handler that tells when something is logged at level Warn.
type Warnings struct {
	slog.Handler // for Enabled
	Times        chan time.Time
}

// Handle sends the time of a warning to w.Times.
func (w Warnings) Handle(_ context.Context, r slog.Record) error {
	if r.Level == slog.LevelWarn {
		w.Times <- r.Time
	}
	return nil
}
