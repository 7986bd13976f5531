package operations

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
)

const page = "../../docs/operations.md"

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(b), "\r\n", "\n")
}

// Each piece of Go on the page is code of this package, to the letter.
func TestPage(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var source, tests strings.Builder
	for _, file := range files {
		text := read(t, file)
		source.WriteString(text)
		if strings.HasSuffix(file, "_test.go") {
			tests.WriteString(text)
		}
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(read(t, page), -1)
	if len(blocks) < 8 {
		t.Errorf("got %d blocks", len(blocks))
	}
	declared := regexp.MustCompile(`(?m)^func (?:\([^)]*\) )?(\w+)`)
	for _, block := range blocks {
		for _, piece := range strings.Split(block[1], "// …\n") {
			if !strings.Contains(source.String(), "\n"+strings.Trim(piece, "\n")+"\n") {
				t.Errorf("not in this package:\n%s", piece)
			}
		}
		for _, name := range declared.FindAllStringSubmatch(block[1], -1) {
			if called := regexp.MustCompile(`\b` + name[1] + `\(`); !called.MatchString(tests.String()) && !slices.Contains(throughOthers, name[1]) {
				t.Errorf("%s is called by no test", name[1])
			}
		}
	}
}

// throughOthers are functions that tests call by way of others.
var throughOthers = []string{
	"receive", "expect", "forget", // by call
	"Write", "Accept", "SetReadDeadline", "SetDeadline", // by the Listener and the Conn
}

// rows returns the cells of the table between two comments of the page, without its head.
func rows(t *testing.T, name string) (list [][]string) {
	t.Helper()
	_, table, found := strings.Cut(read(t, page), "<!-- "+name+" -->\n")
	table, _, closed := strings.Cut(table, "<!-- end of "+name+" -->")
	if !found || !closed {
		t.Fatalf("the page has no table of %s", name)
	}
	for line := range strings.Lines(table) {
		list = append(list, strings.Split(strings.Trim(line, "| \n"), " | "))
	}
	return list[2:]
}

var quoted = regexp.MustCompile("`([^`]*)`")

// codes returns what a cell has between backquotes.
func codes(cell string) (list []string) {
	for _, m := range quoted.FindAllStringSubmatch(cell, -1) {
		list = append(list, m[1])
	}
	return list
}

// The table of limits has what strangers and friends are in the code, and all of that.
func TestPageLimits(t *testing.T) {
	shown := make(map[string]bool)
	for _, row := range rows(t, "limits") {
		name := codes(row[0])[0]
		shown[name] = true
		for i, opts := range []qsocket.Options{strangers, friends} {
			got, want := row[1+i], limit(name, reflect.ValueOf(opts).FieldByName(name))
			if got != want {
				t.Errorf("%s: the page has %q, want %q", name, got, want)
			}
		}
	}
	for _, opts := range []qsocket.Options{strangers, friends} {
		for i := range reflect.TypeFor[qsocket.Options]().NumField() {
			name := reflect.TypeFor[qsocket.Options]().Field(i).Name
			if !reflect.ValueOf(opts).Field(i).IsZero() && !shown[name] {
				t.Errorf("%s is not on the page", name)
			}
		}
	}
}

// limit shows a field of the Options as the page does.
func limit(name string, v reflect.Value) string {
	n := v.Int()
	switch {
	case n == 0:
		return "–"
	case v.Type() == reflect.TypeFor[time.Duration]():
		return fmt.Sprint(n/int64(time.Second), " s")
	case strings.HasSuffix(name, "Buffer") || name == "MaxFrame":
		if n >= 1<<20 {
			return fmt.Sprint(n>>20, " MiB")
		}
		return fmt.Sprint(n>>10, " KiB")
	case n >= 1000:
		return fmt.Sprintf("%d,%03d", n/1000, n%1000)
	}
	return strconv.FormatInt(n, 10)
}

// The signals exist: fields of the two structs, and causes that the documentation of Refusals has.
func TestPageSignals(t *testing.T) {
	_, causes, found := strings.Cut(read(t, "../../accept.go"), "// ListenerStats.Refused. The causes are\n")
	causes, _, _ = strings.Cut(causes, "\nfunc ")
	if !found {
		t.Fatal("accept.go has no list of causes")
	}
	field := regexp.MustCompile(`(Stats|Totals)\(\)\.(\w+)`)
	cause := regexp.MustCompile(`\["(\w+)"\]`)
	n := 0
	for _, row := range rows(t, "signals") {
		for _, m := range field.FindAllStringSubmatch(row[0], -1) {
			n++
			of := reflect.TypeFor[qsocket.ListenerStats]()
			if m[1] == "Totals" {
				of = reflect.TypeFor[qsocket.Stats]()
			}
			if _, ok := of.FieldByName(m[2]); !ok {
				t.Errorf("%v has no %s", of, m[2])
			}
		}
		for _, m := range cause.FindAllStringSubmatch(row[0], -1) {
			n++
			if !regexp.MustCompile(`\b` + m[1] + `\b`).MatchString(causes) {
				t.Errorf("%s is no cause of Refusals", m[1])
			}
		}
	}
	if n < 20 {
		t.Errorf("got %d signals", n)
	}
}

// The table of errors has each symptom of TestSymptoms, and no other.
func TestPageSymptoms(t *testing.T) {
	var got, want []string
	for _, row := range rows(t, "symptoms") {
		got = append(got, codes(row[0])...)
	}
	for _, s := range symptoms {
		want = append(want, s.text)
	}
	if !slices.Equal(got, want) {
		t.Errorf("the page has\n%q\nwant\n%q", got, want)
	}
}
