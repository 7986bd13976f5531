package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket/bench/codecs"
	"github.com/fb9bb4ed/qsocket/tests/shapes"
)

// A run of a few shapes writes a row for each, and says so.
func TestShapes(t *testing.T) {
	dir := t.TempDir()
	var out bytes.Buffer
	o := shapeOptions{match: regexp.MustCompile(`^struct of 8 fields|^map\[string\]int of 10$`), rounds: 1, target: 100 * time.Microsecond, out: dir}
	if err := runShapes(o, &out, &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "shapes.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"struct of 8 fields, an order", "map[string]int of 10"} {
		if !strings.Contains(string(text), "| "+name+" ") || !strings.Contains(out.String(), name) {
			t.Errorf("no row for %s in\n%s\n%s", name, text, &out)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "shapes.svg")); err != nil {
		t.Error(err)
	}
	o.match = regexp.MustCompile("no such shape")
	if err := runShapes(o, &out, &bytes.Buffer{}); err == nil {
		t.Error("no error where nothing matches")
	}
}

// What msgp generates decodes ours, and its own, for every shape that it has.
func TestMsgpShapes(t *testing.T) {
	n := 0
	for _, s := range shapes.All() {
		c, ok, err := codecs.MsgpShape(s)
		if err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
		if !ok || err != nil {
			continue
		}
		n++
		p, err := c.Encode(1)
		if err == nil {
			_, err = s.Own.Decode(p, 1)
		}
		if err != nil {
			t.Errorf("%s, of msgp: %v", s.Name, err)
		}
	}
	if n != codecs.MsgpShapes {
		t.Errorf("%d shapes by msgp, want %d: names differ", n, codecs.MsgpShapes)
	}
}
