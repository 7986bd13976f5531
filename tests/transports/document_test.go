package transports_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const page = "../../docs/transports.md"

// TestDocument compares the tables of the page with the battery.
func TestDocument(t *testing.T) {
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for _, part := range []struct{ name, want string }{
		{"promises", promiseTable()},
		{"battery", batteryTable()},
		{"exceptions", exceptionList()},
		{"slow links", slowTable()},
	} {
		begin, end := "<!-- "+part.name+" -->\n", "<!-- end of "+part.name+" -->"
		head, rest, ok := strings.Cut(text, begin)
		if !ok {
			t.Fatalf("%s: no %q", page, begin)
		}
		old, tail, ok := strings.Cut(rest, end)
		if !ok {
			t.Fatalf("%s: no %q after %q", page, end, begin)
		}
		if old != part.want && !*update {
			t.Errorf("%s: the part %q is not what the tests say; to write it: go test -run Document . -update\ngot\n%s\nwant\n%s", page, part.name, old, part.want)
		}
		text = head + begin + part.want + end + tail
	}
	if *update {
		if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func promiseTable() string {
	var b strings.Builder
	b.WriteString("| | promise |\n|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %s |\n", r.name, r.promise)
	}
	return b.String()
}

// mark names an exception.
func mark(i int) string { return string(rune('a' + i)) }

func batteryTable() string {
	var b strings.Builder
	b.WriteString("| |")
	for _, r := range rows {
		fmt.Fprintf(&b, " %s |", r.name)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(rows)) + "\n")
	for _, k := range kinds {
		fmt.Fprintf(&b, "| %s |", k.what)
		for _, r := range rows {
			var marks []string
			for i, x := range exceptions {
				if !slices.Contains(x.rows, r.name) || !slices.Contains(x.kinds, k.name) {
					continue
				}
				m := mark(i)
				if len(x.modes) < len(r.modes) {
					m += " " + string(x.modes[0])
				}
				marks = append(marks, m)
			}
			if marks == nil {
				marks = []string{"✓"}
			}
			fmt.Fprintf(&b, " %s |", strings.Join(marks, ", "))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func exceptionList() string {
	var b strings.Builder
	for i, x := range exceptions {
		in := ""
		if len(x.modes) == 1 {
			in = "; " + string(x.modes[0]) + " mode"
		}
		if x.sometimes {
			in += ", not always"
		}
		fmt.Fprintf(&b, "- **%s** (%s%s): %s.\n", mark(i), strings.Join(x.rows, ", "), in, x.reason)
	}
	return b.String()
}

func slowTable() string {
	var b strings.Builder
	b.WriteString("| what has to get through | so a link needs |\n|---|---|\n")
	for _, s := range slowestLinks {
		fmt.Fprintf(&b, "| %s | %s |\n", s.what, s)
	}
	return b.String()
}

// TestExceptions finds exceptions for what is not there.
func TestExceptions(t *testing.T) {
	for _, x := range exceptions {
		for _, name := range x.rows {
			i := slices.IndexFunc(rows, func(r row) bool { return r.name == name })
			if i < 0 {
				t.Errorf("no row %q", name)
				continue
			}
			for _, m := range x.modes {
				if !slices.Contains(rows[i].modes, m) {
					t.Errorf("%s: not tested in %s mode", name, m)
				}
			}
		}
		for _, name := range x.kinds {
			if !slices.ContainsFunc(kinds, func(k kind) bool { return k.name == name }) {
				t.Errorf("%s: no kind %q", x.rows, name)
			}
		}
	}
}

// TestDocumentCode finds each piece of Go of the page in the files of this package, or in the
// tests of Options.DialContext. They are compiled and tested. Indents may differ.
func TestDocumentCode(t *testing.T) {
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	unindented := func(code string) string { return regexp.MustCompile(`(?m)^\t+`).ReplaceAllString(code, "") }
	var source strings.Builder
	for _, f := range append(files, "../service/dial_context_test.go") {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		source.WriteString(unindented(string(text)))
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(b), -1)
	if len(blocks) == 0 {
		t.Error("no code")
	}
	for _, block := range blocks {
		for _, piece := range strings.Split(block[1], "\n// …\n") {
			if piece = strings.Trim(piece, "\n"); !strings.Contains(source.String(), "\n"+unindented(piece)+"\n") {
				t.Errorf("not in the tests:\n%s", piece)
			}
		}
	}
}
