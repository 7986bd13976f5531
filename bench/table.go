package main

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A table is one in Markdown. Its columns are aligned, so that it can be read
// as it is, too.
type table struct {
	head []string
	rows [][]string
}

func (t *table) add(row ...string) { t.rows = append(t.rows, row) }

// String returns the table with the first column to the left and all others
// to the right, except those that hold text.
func (t *table) String() string {
	widths := make([]int, len(t.head))
	numbers := make([]bool, len(t.head))
	for i, h := range t.head {
		widths[i] = max(3, utf8.RuneCountInString(h))
		numbers[i] = i > 0
		for _, row := range t.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
			if first, _ := utf8.DecodeRuneInString(row[i]); !strings.ContainsRune("–0123456789", first) && row[i] != "error" {
				numbers[i] = false
			}
		}
	}
	var b strings.Builder
	line := func(row []string) {
		b.WriteByte('|')
		for i, s := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(s))
			if numbers[i] {
				s = pad + s
			} else {
				s += pad
			}
			b.WriteString(" " + s + " |")
		}
		b.WriteByte('\n')
	}
	line(t.head)
	b.WriteByte('|')
	for i, w := range widths {
		if numbers[i] {
			b.WriteString(strings.Repeat("-", w+1) + ":|")
		} else {
			b.WriteString(strings.Repeat("-", w+2) + "|")
		}
	}
	b.WriteByte('\n')
	for _, row := range t.rows {
		line(row)
	}
	return b.String()
}

// number formats a measured value with as many digits as it deserves.
func number(v float64) string {
	switch {
	case v < 0.05:
		return "0.0"
	case v < 99.95:
		return fmt.Sprintf("%.1f", v)
	}
	return thousands(int(v + 0.5))
}

// thousands formats n with a comma between groups of three digits, from 10,000 on.
func thousands(n int) string {
	s := fmt.Sprint(n)
	if n < 10_000 {
		return s
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
