package testkit

import (
	"context"
	"encoding"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// MaxErrorText is how long the text of an error, and an attribute of a log line, may be,
// bytes; MaxStackText is that for the stack of a panic.
const (
	MaxErrorText = 1 << 10
	MaxStackText = 16 << 10
)

// HostileTexts are what peers, and methods of types, may say that is not to be shown as it is.
var HostileTexts = []string{
	"", "plain", "one\ntwo", "\r\x1b[2J\x1b]0;owned\x07", "\u202e\u2066 right to left", "\xff\xfe not UTF-8",
	"\u0081\u00a0\u200b\ufeff", "日本\x00語", `"quoted" \back`, strings.Repeat("long ", 1000),
	strings.Repeat("\u0081", 1<<17), strings.Repeat("\xff", 1<<18), strings.Repeat("\U000e0001", 1<<16), strings.Repeat("line\n", 1<<16),
	strings.Repeat("日", 341) + "\x1b",
}

// TextFault says what is wrong with a text that is shown to people: that it is longer than
// most bytes, or is not printable. It is "" if nothing is.
func TextFault(text string, most int) string {
	if len(text) > most {
		return fmt.Sprintf("a text of %d bytes, want at most %d: %.60q…", len(text), most, text)
	}
	for i, r := range text {
		if _, n := utf8.DecodeRuneInString(text[i:]); !strconv.IsPrint(r) || r == utf8.RuneError && n == 1 {
			return fmt.Sprintf("%q at offset %d of %.200q", text[i:i+n], i, text)
		}
	}
	return ""
}

// ErrorFault is TextFault for the text of an error, and of the errors that it wraps and
// that are the library's own.
func ErrorFault(err error) string {
	if err == nil {
		return ""
	}
	return TextFault(err.Error(), MaxErrorText)
}

// LogCheck is a slog.Handler, at every level, that looks for what no log line may hold.
type LogCheck struct {
	mu      sync.Mutex
	records int
	faults  []string
}

// Logger returns a Logger that c checks.
func (c *LogCheck) Logger() *slog.Logger { return slog.New(c) }

// Enabled says that every level is.
func (c *LogCheck) Enabled(context.Context, slog.Level) bool { return true }

// WithAttrs and WithGroup are not used by the library.
func (c *LogCheck) WithAttrs([]slog.Attr) slog.Handler { return c }

// WithGroup returns c.
func (c *LogCheck) WithGroup(string) slog.Handler { return c }

// Handle checks one record.
func (c *LogCheck) Handle(_ context.Context, r slog.Record) error {
	faults := []string{TextFault(r.Message, MaxErrorText)}
	r.Attrs(func(a slog.Attr) bool {
		faults = append(faults, attrFault(a))
		return true
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.records++
	for _, fault := range faults {
		if fault != "" {
			c.faults = append(c.faults, fmt.Sprintf("%s: %s", r.Message, fault))
		}
	}
	return nil
}

// attrFault says what is wrong with an attribute.
func attrFault(a slog.Attr) string {
	text, most := a.Value.String(), MaxErrorText
	switch v := a.Value.Any().(type) {
	case json.Marshaler, encoding.TextMarshaler, slog.LogValuer:
		return fmt.Sprintf("%s is a %T, which tells handlers what to show of it", a.Key, v)
	case error:
		text = v.Error()
	}
	if a.Key == "stack" { // the only one with lines
		text, most = strings.NewReplacer("\n", "", "\t", "").Replace(text), MaxStackText
	}
	if fault := TextFault(text, most); fault != "" {
		return a.Key + ": " + fault
	}
	return ""
}

// Records returns how many records there were.
func (c *LogCheck) Records() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.records
}

// Faults returns what was found, a line for each.
func (c *LogCheck) Faults() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.faults
}
