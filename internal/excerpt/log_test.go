package excerpt_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/excerpt"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// markedError tells handlers another text than its Error does.
type markedError struct{ error }

func (markedError) MarshalText() ([]byte, error) { return bytes.Repeat([]byte("\x1b"), 5000), nil }
func (markedError) MarshalJSON() ([]byte, error) {
	return []byte(`"` + strings.Repeat("x", 5000) + `"`), nil
}
func (markedError) LogValue() slog.Value { return slog.StringValue(strings.Repeat("\x1b", 5000)) }

// Whatever is logged, handlers get excerpts of it.
func TestHandler(t *testing.T) {
	check := new(testkit.LogCheck)
	log := slog.New(excerpt.Handler(check))
	for _, text := range testkit.HostileTexts {
		log.Info("message", "text", text, "err", errors.New(text), "n", 1, "marked", markedError{io.EOF})
		log.Error("message", "panic", panicError{}, "stack", strings.Repeat("main.f()\n\tf.go:1\n", 10_000))
	}
	for _, fault := range check.Faults() {
		t.Error(fault)
	}
	if got, want := check.Records(), 2*len(testkit.HostileTexts); got != want {
		t.Errorf("got %d records, want %d", got, want)
	}
}

// formattedError is of a package whose errors bring their stack along.
type formattedError struct{ error }

func (formattedError) Format(s fmt.State, _ rune) {
	_, _ = io.WriteString(s, strings.Repeat("main.f()\n\tf.go:1\n", 1000))
}

// bytesError is shown as what it consists of.
type bytesError []byte

func (bytesError) Error() string { return "short" }

// The handlers of package slog show the text of an error, and nothing else that it would tell
// them.
func TestHandlersShowTheText(t *testing.T) {
	for _, err := range []error{markedError{io.EOF}, formattedError{io.EOF}, bytesError(strings.Repeat("x", 5000)), io.EOF} {
		var out bytes.Buffer
		for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			out.Reset()
			slog.New(excerpt.Handler(h)).Warn("message", "err", err)
			if got := out.String(); len(got) > 200 || !strings.Contains(got, err.Error()) {
				t.Errorf("%T, %T: got %.200s, want %s", h, err, got, err.Error())
			}
		}
	}
}

// asHandler keeps what it gets.
type asHandler struct {
	slog.Handler
	errs *[]error
}

func (h asHandler) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		*h.errs = append(*h.errs, a.Value.Any().(error))
		return true
	})
	return nil
}

// A handler finds the error that was logged, and gets that itself where its text is short.
func TestHandlerKeepsErrors(t *testing.T) {
	var errs []error
	log := slog.New(excerpt.Handler(asHandler{slog.NewTextHandler(io.Discard, nil), &errs}))
	long := fmt.Errorf("%w %s", io.ErrNoProgress, strings.Repeat("x", 5000))
	log.Warn("message", "err", io.EOF, "err", long)
	if len(errs) != 2 || errs[0] != io.EOF || errs[1] == long || !errors.Is(errs[1], long) {
		t.Errorf("got %q", errs)
	}
}

// What a program sets on its Logger stays.
func TestHandlerWith(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(excerpt.Handler(slog.NewTextHandler(&out, &slog.HandlerOptions{AddSource: true}))).With("service", "orders").WithGroup("g")
	log.Info("message", "text", "a\x1b")
	if got := out.String(); !strings.Contains(got, "service=orders") || !strings.Contains(got, `g.text=a\x1b`) || !strings.Contains(got, "log_test.go") {
		t.Errorf("got %s", got)
	}
	out.Reset()
	log.Debug("message")
	if out.Len() > 0 {
		t.Errorf("got %s: debug is not enabled", out.String())
	}
}
