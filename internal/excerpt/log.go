package excerpt

import (
	"context"
	"encoding"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
)

const (
	// StackKey is the attribute of the stack of a panic. It has lines, and may be longer
	// than other attributes.
	StackKey = "stack"

	// MaxStack bounds it, bytes.
	MaxStack = 16 << 10
)

// Handler returns a slog.Handler that passes records on to h with excerpts of their
// attributes, which are strings, errors, numbers and durations.
func Handler(h slog.Handler) slog.Handler { return handler{h} }

type handler struct{ next slog.Handler }

func (h handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler { return handler{h.next.WithAttrs(attrs)} }
func (h handler) WithGroup(name string) slog.Handler       { return handler{h.next.WithGroup(name)} }

func (h handler) Handle(ctx context.Context, r slog.Record) error {
	shown := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		shown.AddAttrs(attr(a))
		return true
	})
	return h.next.Handle(ctx, shown)
}

// attr returns an attribute that is an excerpt of a.
func attr(a slog.Attr) slog.Attr {
	switch v := a.Value.Any().(type) {
	case string:
		if a.Key == StackKey {
			return slog.String(a.Key, v[:min(len(v), MaxStack)])
		}
		return slog.String(a.Key, Text(v, MaxText))
	case error:
		return slog.Any(a.Key, loggable(v))
	}
	return a
}

// loggable returns err if that is what handlers will show of it, and one that wraps it if
// not: a text that is none to show, or a type that tells handlers another one.
func loggable(err error) error {
	switch err.(type) {
	case json.Marshaler, encoding.TextMarshaler, slog.LogValuer, fmt.Formatter:
		return Wrap("", err)
	}
	if t := reflect.TypeOf(err); t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 { // slog.TextHandler shows the bytes
		return Wrap("", err)
	}
	if text, ok := words(err); !ok || Text(text, MaxText) != text {
		return Wrap("", err)
	}
	return err
}
