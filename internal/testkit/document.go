package testkit

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var (
	indents   = regexp.MustCompile(`(?m)^[ \t]+|\r$`)
	codeLines = regexp.MustCompile(`(?m)^\t+.*\n`)
)

// DocumentedCode returns the code that a section of a package comment shows, without indents.
func DocumentedCode(t testing.TB, file, heading string) string {
	t.Helper()
	_, section, found := strings.Cut(ReadFile(t, file), "\n# "+heading+"\n")
	if !found {
		t.Fatalf("%s has no section %q", file, heading)
	}
	section, _, _ = strings.Cut(section, "\n# ")
	return indents.ReplaceAllString(strings.Join(codeLines.FindAllString(section, -1), ""), "")
}

// Unindented returns a file without indents, to look for documented code in it.
func Unindented(t testing.TB, file string) string {
	t.Helper()
	return indents.ReplaceAllString(ReadFile(t, file), "")
}

// ReadFile returns a text.
func ReadFile(t testing.TB, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(b), "\r\n", "\n")
}
