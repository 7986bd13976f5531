package excerpt_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/excerpt"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

func TestText(t *testing.T) {
	for _, test := range []struct {
		name, text string
		most       int
		want       string
	}{
		{"empty", "", 10, ""},
		{"as long as allowed", "0123456789", 10, "0123456789"},
		{"quotes, backslashes and signs stay", `"C:\x" 日本 é ` + "\ufffd", 100, `"C:\x" 日本 é ` + "\ufffd"},
		{"a terminal's escape", "a\x1b[31mb\x07", 100, `a\x1b[31mb\a`},
		{"lines", "one\r\ntwo\tthree", 100, `one\r\ntwo\tthree`},
		{"the order of characters", "a\u202eb\u2066", 100, `a\u202eb\u2066`},
		{"spaces that look like none", "a\u00a0b\u200b\ufeff", 100, `a\u00a0b\u200b\ufeff`},
		{"not UTF-8", "a\xffb\xe6\x97", 100, `a\xffb\xe6\x97`},
		{"what is escaped fits exactly", "\x1b\x1b", 8, `\x1b\x1b`},
		{"cut", strings.Repeat("x", 8<<20), 40, "xxxxxxxxxxxx… (8,388,608 bytes in all)"},
		{"cut at a rune", strings.Repeat("日", 100), 30, "日日… (300 bytes in all)"},
		{"cut at an escape", strings.Repeat("\u202e", 100), 36, `\u202e\u202e… (300 bytes in all)`},
		{"no room for anything", strings.Repeat("x", 100), 3, "… (100 bytes in all)"},
	} {
		if got := excerpt.Text(test.text, test.most); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

func TestQuote(t *testing.T) {
	for _, test := range []struct {
		text string
		most int
		want string
	}{
		{"", 10, `""`},
		{"orders/1", 8, `"orders/1"`},
		{"a\"b\\c\n\u202e\xff", 100, `"a\"b\\c\n\u202e\xff"`},
		{"0123456789", 9, `"012345678…" (10 bytes)`},
		{strings.Repeat("日", 1000), 10, `"日日日…" (3,000 bytes)`},
		{strings.Repeat("\x1b", 1000), 10, `"\x1b\x1b…" (1,000 bytes)`},
	} {
		if got := excerpt.Quote(test.text, test.most); got != test.want {
			t.Errorf("%q: got %s, want %s", test.text, got, test.want)
		}
	}
}

// FuzzText: whatever the text, what is shown is short and printable, and is the text
// itself where that is.
func FuzzText(f *testing.F) {
	for _, text := range testkit.HostileTexts {
		f.Add(text, 100)
	}
	f.Fuzz(func(t *testing.T, text string, most int) {
		most = 30 + most&1023
		for what, got := range map[string]string{"Text": excerpt.Text(text, most), "Quote": excerpt.Quote(text, most)} {
			if fault := testkit.TextFault(got, most+30); fault != "" {
				t.Errorf("%s of %.100q: %s", what, text, fault)
			}
		}
		if got := excerpt.Text(text, most); len(text) <= most && testkit.TextFault(text, most) == "" && got != text {
			t.Errorf("got %q, want %q", got, text)
		}
	})
}

type nilError struct{ text string }

func (e *nilError) Error() string { return e.text }

type panicError struct{}

func (panicError) Error() string { panic("oh no") }

// An error has a text whatever its method does.
func TestError(t *testing.T) {
	for want, err := range map[string]error{
		"<nil>": (*nilError)(nil),
		"(the method Error of a excerpt_test.panicError panics)": panicError{},
		"plain": errors.New("plain"),
		`a\nb`:  errors.Join(errors.New("a"), errors.New("b")),
	} {
		if got := excerpt.Error(err, 100); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := excerpt.Error(nil, 100); got != "<nil>" {
		t.Errorf("got %q", got)
	}
}

// What is wrapped can be found, whatever is shown of it.
func TestWrap(t *testing.T) {
	inner := fmt.Errorf("%s: %w", strings.Repeat("x", 1<<20), io.ErrUnexpectedEOF)
	err := excerpt.Wrap("outer: ", excerpt.Wrap("inner: ", inner))
	if !errors.Is(err, io.ErrUnexpectedEOF) || !errors.Is(err, inner) {
		t.Error("not found")
	}
	if got := err.Error(); len(got) > excerpt.MaxText || !strings.HasPrefix(got, "outer: inner: xxx") || !strings.Contains(got, "(1,048,592 bytes in all)") {
		t.Errorf("got %q", got)
	}
}

func TestJoin(t *testing.T) {
	if err := excerpt.Join(nil, nil); err != nil {
		t.Errorf("got %v, want nil", err)
	}
	err := excerpt.Join(errors.New("a"), nil, io.EOF)
	if err.Error() != "a; EOF" || !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
	var many []error
	for i := range 1000 {
		many = append(many, fmt.Errorf("error %d", i))
	}
	if got := excerpt.Join(many...).Error(); len(got) > excerpt.MaxText || !strings.HasPrefix(got, "error 0; error 1; ") || !strings.HasSuffix(got, " more errors") {
		t.Errorf("got %q", got)
	}
}

type loop map[string]any

type small struct {
	A int
	B []string
	p *small
}

// Of a small value all is shown, as fmt does; of others the type.
func TestPanic(t *testing.T) {
	self := loop{}
	self["self"] = self
	list := make([]any, 1)
	list[0] = list
	node := &small{A: 1}
	node.p = node
	for _, test := range []struct {
		value any
		want  string
	}{
		{nil, "<nil>"},
		{"oh no", "oh no"},
		{io.EOF, "EOF"},
		{1.5, "1.5"},
		{small{A: 1, B: []string{"x"}}, "{1 [x] <nil>}"},
		{&small{A: 1}, "&{1 [] <nil>}"},
		{map[string]int{"a": 1}, "map[a:1]"},
		{self, "a excerpt_test.loop"},
		{list, "a []interface {}"},
		{make([]byte, 1<<20), "a []uint8"},
		{[]string{strings.Repeat("x", 1<<20)}, "a []string"},
		{netip.MustParseAddr("::1"), "::1"},
		{(*nilError)(nil), "<nil>"},
		{panicError{}, "(the method Error of a excerpt_test.panicError panics)"},
		{strings.Repeat("x", 200), strings.Repeat("x", 78) + "… (200 bytes in all)"},
	} {
		if got := excerpt.Panic(test.value, 100); got != test.want {
			t.Errorf("%T: got %q, want %q", test.value, got, test.want)
		}
	}
	if got := excerpt.Panic(node, 100); !strings.HasPrefix(got, "&{1 [] 0x") {
		t.Errorf("got %q", got)
	}
}

// Errors of the standard library do not make a text of a whole payload first.
func TestErrorOfStandardLibrary(t *testing.T) {
	long := strings.Repeat("\u0081", 1<<19)
	_, parse := time.Parse(time.RFC3339, long)
	_, number := strconv.Atoi(long)
	var v struct{ A int8 }
	kind := json.Unmarshal([]byte(`{"A":`+strings.Repeat("1", 1<<20)+`}`), &v)
	for _, err := range []error{parse, number, kind} {
		text := excerpt.Error(err, excerpt.MaxPart)
		if fault := testkit.TextFault(text, excerpt.MaxPart); fault != "" || !strings.Contains(text, "1,048,5") {
			t.Errorf("%T: %q %s", err, text, fault)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_ = excerpt.Error(err, excerpt.MaxPart)
		if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 64<<10 {
			t.Errorf("%T: took %d bytes", err, after.TotalAlloc-before.TotalAlloc)
		}
	}
	if _, err := time.Parse(time.RFC3339, "x"); excerpt.Error(err, 100) != err.Error() {
		t.Errorf("got %s, want %v", excerpt.Error(err, 100), err)
	}
}
