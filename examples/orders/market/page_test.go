package market_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every piece of Go in docs/protocols.md is a piece of the examples, which are
// compiled and tested. Indentation may differ.
func TestProtocolsPage(t *testing.T) {
	page, err := os.ReadFile("../../../docs/protocols.md")
	if err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	for _, pattern := range []string{"*.go", "../*.go", "next/*.go", "v2/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			code.WriteString(flush(string(text)))
		}
	}
	blocks := regexp.MustCompile("(?s)```go\r?\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) < 5 {
		t.Errorf("got %d blocks of Go, want at least 5", len(blocks))
	}
	for _, block := range blocks {
		if !strings.Contains(code.String(), "\n"+flush(block[1])) {
			t.Errorf("not in the examples:\n%s", block[1])
		}
	}
}

// indents are what differs between code in a function and on a page: spaces at
// the beginning of lines, and between code and a remark behind it.
var indents = regexp.MustCompile(`(?m)^[ \t]+|[ \t\r]+$| +(// )`)

func flush(code string) string { return indents.ReplaceAllString(code, "$1") }
