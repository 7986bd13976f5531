package main

import (
	"bytes"
	"fmt"
	"os"
)

// The README of the repository shows the main table between these lines.
const (
	readme      = "../README.md"
	readmeBegin = "<!-- bench: written by bench, from docs/benchmarks/results.json -->\n"
	readmeEnd   = "<!-- bench: end -->\n"
)

// updateReadme puts the main table into the file, in place of the one that is there.
func (res *results) updateReadme(file string) error {
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, ok := bytes.Cut(old, []byte(readmeBegin))
	_, after, closed := bytes.Cut(rest, []byte(readmeEnd))
	if !ok || !closed {
		return fmt.Errorf("%s: no lines %q and %q to put the table between", file, readmeBegin, readmeEnd)
	}
	table := res.mainTable() + "\n" + res.preamble()
	text := fmt.Appendf(nil, "%s%s\n%s\n%s%s", before, readmeBegin, table, readmeEnd, after)
	return os.WriteFile(file, text, 0o644)
}
