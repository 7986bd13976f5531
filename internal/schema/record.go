package schema

import (
	"fmt"
	"strings"
)

// A record is a file with a text behind lines of comment: what qsockettest.Golden compares the code
// with. The first line of comment is its title, which says whose record it is. Older files have none.

// RecordTitle is the first line of the record of the protocol that has that name.
func RecordTitle(name string) string {
	if name == "" {
		return "# protocol without a name"
	}
	return fmt.Sprintf("# protocol %q", name)
}

// RecordHeader is what such a record begins with.
func RecordHeader(name string) string {
	return RecordTitle(name) + "\n" +
		"# What its messages look like on the wire; docs/schema.md of qsocket explains the form.\n" +
		"# qsockettest.Golden compares the code with it; QSOCKET_UPDATE=1 go test writes it.\n"
}

// CutRecord cuts the lines of comment before the text, and what version control may have made of
// the ends of lines. title is "" if there is none.
func CutRecord(file string) (title, text string) {
	file = strings.ReplaceAll(file, "\r\n", "\n")
	for strings.HasPrefix(file, "#") {
		var line string
		line, file, _ = strings.Cut(file, "\n")
		if title == "" && strings.HasPrefix(line, "# protocol ") {
			title = line
		}
	}
	return title, file
}

// Verdicts are all of them, the worst first.
var Verdicts = [...]Verdict{Breaks, Loses, Safe}

// String returns the verdict as a heading has it.
func (v Verdict) String() string {
	return [...]string{Safe: "safe", Loses: "loses", Breaks: "breaks"}[v]
}

// List lists the differences with a verdict, as a diff with remarks.
func List(diffs []Difference, v Verdict) string {
	var b strings.Builder
	for _, d := range diffs {
		if d.Verdict() != v {
			continue
		}
		fmt.Fprintf(&b, "  %s\n", d.What())
		if why := d.Suspicion(); why != "" {
			fmt.Fprintf(&b, "    %s\n", why)
		}
		if old, new := d.NewReadsOld(), d.OldReadsNew(); old != "" {
			fmt.Fprintf(&b, "    old sender, new receiver: %s\n    new sender, old receiver: %s\n", old, new)
		}
	}
	return b.String()
}
