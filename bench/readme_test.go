package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestUpdateReadme(t *testing.T) {
	file := filepath.Join(t.TempDir(), "README.md")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	res := fixed(map[string]map[string]float64{rawBatched: {"W1": 70}})
	write("before\n" + readmeBegin + "an old table\n" + readmeEnd + "after\n")
	for range 2 { // the second time it finds its own
		if err := res.updateReadme(file); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := "before\n" + readmeBegin + res.readmeTable() + readmeEnd + "after\n"
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	write("no place for it\n")
	if err := res.updateReadme(file); err == nil {
		t.Error("no error where there is no place for the table")
	}
}

// What the repository shows is what its files of results say: README's table and the tables beside
// them, which are of the same machine, and the table of all machines.
func TestShownResults(t *testing.T) {
	all, err := readMachines(fullOut)
	if err != nil || len(all) == 0 {
		t.Fatalf("got results of %d machines, %v, want some", len(all), err)
	}
	text := func(file string) string {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return strings.ReplaceAll(string(b), "\r\n", "\n")
	}
	front, report := text(readme), text(filepath.Join(fullOut, "results.md"))
	shown := slices.IndexFunc(all, func(res *results) bool {
		return strings.Contains(front, readmeBegin+res.readmeTable()+readmeEnd)
	})
	if shown < 0 {
		t.Fatalf("%s does not show what one of the results says; go run . -from one of %s/results-*.json writes it", readme, fullOut)
	}
	res := all[shown]
	if table := res.readmeTable(); strings.Count(table, "\n| ") != 6 || strings.Contains(table, "–") {
		t.Errorf("want a figure in each of 6 rows and 3 columns, got\n%s", table)
	}
	for what, want := range map[string]string{"its table of medians": res.mainTable(), "its preamble": res.preamble(), "the tables of machines": machineTables(all)} {
		if !strings.Contains(report, want) {
			t.Errorf("results.md is not what %s says, of which README shows the table: it lacks %s; go run . -from %[1]s writes it",
				filepath.Join(fullOut, res.Machine.fileName()), what)
		}
	}
	for _, res := range all {
		if _, err := os.Stat(filepath.Join(fullOut, res.Machine.fileName())); err != nil {
			t.Errorf("the file of results of %s has another name: %v", res.Machine.CPU, err)
		}
	}
}

// The plots keep their texts in place with any font, and have colors for dark pages.
func TestShownPlots(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(fullOut, "*.svg"))
	if err != nil || len(files) < 8 {
		t.Fatalf("got %d plots, %v, want 8", len(files), err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts, placed := strings.Count(string(b), "<text "), strings.Count(string(b), `<text textLength="`)
		if texts < 10 || placed != texts {
			t.Errorf("%s: %d of %d texts have a width", file, placed, texts)
		}
		if anchored := strings.Count(string(b), " text-anchor="); anchored != texts {
			t.Errorf("%s: %d of %d texts have an anchor", file, anchored, texts)
		}
		if !strings.Contains(string(b), "prefers-color-scheme: dark") {
			t.Errorf("%s has no colors for dark pages", file)
		}
	}
}
