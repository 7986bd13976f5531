// Package excerpt shows what others have said in errors and log lines: peers, the
// methods of a program's types, net.Conns of other packages. Their words may be
// megabytes long and may hold what a terminal or a log file acts upon.
//
// What is short and printable is shown as it is. Of the rest the beginning is shown, cut
// at a rune, with the length of the whole; a rune that is not printable (in the sense of
// strconv.IsPrint) and a byte that is not UTF-8 are escaped as strconv.Quote does. No more
// is read of a long text than is shown.
package excerpt

import (
	"strconv"
	"unicode/utf8"
)

const (
	// MaxText bounds the text of an error, and an attribute of a log line, bytes.
	MaxText = 1024

	// MaxPart bounds what another party says in it, bytes. The rest is for what the
	// library says itself, so that the text as a whole is not cut a second time.
	MaxPart = 640

	// MaxName bounds a name in it, such as that of a protocol, bytes.
	MaxName = 256
)

// Text returns an excerpt of s, of at most most bytes.
func Text(s string, most int) string {
	if len(s) <= most && isPrintable(s) {
		return s
	}
	note := "… (" + Count(len(s)) + " bytes in all)"
	if shown, all := cut(s, most); all {
		return shown
	}
	shown, _ := cut(s, max(most-len(note), 0))
	return shown + note
}

// Quote returns an excerpt of s in quotes, as strconv.Quote makes them, with at most most
// bytes between them. Where s is cut, its length follows.
func Quote(s string, most int) string {
	b := []byte{'"'}
	for i, n := 0, 0; i < len(s); i += n {
		before := len(b)
		_, n = utf8.DecodeRuneInString(s[i:])
		b = appendEscaped(b, s[i:i+n], true)
		if len(b)-1 > most {
			return string(b[:before]) + `…" (` + Count(len(s)) + " bytes)"
		}
	}
	return string(append(b, '"'))
}

// isPrintable reports whether nothing in s has to be escaped.
func isPrintable(s string) bool {
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if !isShown(r, n) {
			return false
		}
		i += n
	}
	return true
}

// isShown reports whether a rune that was read from n bytes is shown as it is.
func isShown(r rune, n int) bool {
	return strconv.IsPrint(r) && (r != utf8.RuneError || n > 1)
}

// cut returns as many whole runes of s, escaped, as make most bytes, and whether these are
// all.
func cut(s string, most int) (shown string, all bool) {
	b := make([]byte, 0, min(most, 2*len(s))+utf8.UTFMax)
	for i, n := 0, 0; i < len(s); i += n {
		before := len(b)
		_, n = utf8.DecodeRuneInString(s[i:])
		b = appendEscaped(b, s[i:i+n], false)
		if len(b) > most {
			return string(b[:before]), false
		}
	}
	return string(b), true
}

// appendEscaped appends s, which is one rune or a byte that is none. Between quotes a
// quote and a backslash are escaped as well.
func appendEscaped(b []byte, s string, quoted bool) []byte {
	if r, n := utf8.DecodeRuneInString(s); isShown(r, n) && !(quoted && (r == '"' || r == '\\')) {
		return append(b, s...)
	}
	start := len(b)
	b = strconv.AppendQuote(b, s)
	copy(b[start:], b[start+1:len(b)-1]) // without its quotes
	return b[:len(b)-2]
}

// Count returns n with a comma before each three digits: 8,388,608.
func Count(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
