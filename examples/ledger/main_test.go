package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

func Example() {
	for _, mode := range []string{"kill", "restart"} {
		if err := run(mode, os.Stdout, io.Discard); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// kill: entries booked: 1 to 10000; came twice: 0; sessions lost: 0
	// restart: entries booked: 1 to 10000; came twice: 0; sessions lost: 1
}

// Connections really are cut: without that the example shows nothing.
func TestKill(t *testing.T) {
	var details bytes.Buffer
	if err := run("kill", io.Discard, &details); err != nil {
		t.Fatal(err)
	}
	var resumes int
	if _, err := fmt.Sscanf(details.String(), "kill: resumes: %d;", &resumes); err != nil || resumes < 5 {
		t.Errorf("got %q, want 5 resumes or more", details.String())
	}
}

func TestUnknownMode(t *testing.T) {
	if err := run("kil", io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "restart") {
		t.Errorf("got %v, want an error that names the modes", err)
	}
}

func TestBook(t *testing.T) {
	l := ledger{booked: func(int) {}}
	for i, number := range []int{1, 2, 2, 1, 3, 5} {
		if err := l.book(Entry{Number: number}); (err != nil) != (number == 5) {
			t.Errorf("%d. entry %d: got %v", i, number, err)
		}
	}
	if l.last() != 3 || l.repeated != 2 {
		t.Errorf("got %d entries and %d repeated, want 3 and 2", l.last(), l.repeated)
	}
}
