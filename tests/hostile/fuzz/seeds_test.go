package fuzz

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// fuzzTargets are what reads bytes of a peer, and how it is fuzzed:
//
//	go test -run - -fuzz FuzzControl -fuzztime 60s ./tests/hostile/fuzz
var fuzzTargets = []struct {
	part   string
	target func(*testing.F) // so that it is there
	name   string
}{
	{"frame readers of all framings", FuzzFrames, "FuzzFrames"},
	{"hello", FuzzHello, "FuzzHello"},
	{"verdicts", FuzzVerdict, "FuzzVerdict"},
	{"control frames", FuzzControl, "FuzzControl"},
	{"tags of unions", FuzzUnion, "FuzzUnion"},
	{"msgpack payloads", FuzzMsgpackDecode, "FuzzMsgpackDecode"},
	{"guard of v5's decoder", FuzzMsgpackGuard, "FuzzMsgpackGuard"},
	{"gob payloads", FuzzGobDecode, "FuzzGobDecode"},
	{"gob payloads by grammar", FuzzGobGrammar, "FuzzGobGrammar"},
	{"gob payloads that are valid", FuzzGobValid, "FuzzGobValid"},
}

// The seeds of every fuzz target pass, and every part that reads bytes of a peer
// has one. They run in a process of their own, which a crash ends.
func TestFault03FuzzSeeds(t *testing.T) {
	testkit.CheckGoroutines(t)
	var names []string
	for _, f := range fuzzTargets {
		names = append(names, f.name)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^("+strings.Join(names, "|")+")$", "-test.v", "-test.timeout=2m")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, f := range fuzzTargets {
		if !bytes.Contains(out, []byte("\n--- PASS: "+f.name+" ")) || !bytes.Contains(out, []byte("--- PASS: "+f.name+"/")) {
			t.Errorf("%s: no seed of %s has passed", f.part, f.name)
		}
	}
	worst := 0
	for _, m := range fuzzLine.FindAllSubmatch(out, -1) {
		n, _ := strconv.Atoi(string(m[1]))
		worst = max(worst, n)
	}
	t.Logf("%d seeds of %d targets: no crash; reading a stream allocated %d bytes at most", bytes.Count(out, []byte("    --- PASS: Fuzz")), len(fuzzTargets), worst)
}

var fuzzLine = regexp.MustCompile(`stream of \d+ bytes: (\d+) allocated`)
