package session

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var broken = flag.Bool("session.broken", false, "have TestSession32Model fail for each promise that TestModelFindsWhatIsBroken breaks")

// breaks are faults, one or more for each promise of TestSession32Model, that it has to find.
var breaks = []struct {
	promise, file, old, new string
}{
	{"in order, each once", "session_attach.go", "a.cursor = s.ring.From(got + 1)", "a.cursor = s.ring.From(max(got, 1))"},
	{"in order, each once: what was in hand at a takeover is had", "session_recv.go", "		s.held, s.core.holding = v, true\n", ""},
	{"all of them after a clean end", "session_recv.go", "	if err == io.EOF && !s.holding {", "	if !s.holding {\n		_ = io.EOF"},
	{"neither end waits for one that has gone", "session_client.go", "	if e.FullConfirmed {", "	if e.Confirmed {"},
	{"what is taken was received", "internal/session/receipts.go", "	r.queue = append(r.queue, receipt{1, bytes})", "	r.taken++\n	r.queue = append(r.queue, receipt{0, bytes})"},
	{"what was never written was not received", "internal/session/ring.go", "	r.sent = max(r.sent, r.last)\n", "	r.sent = max(r.sent, r.last-1)\n"},
	{"Unacknowledged are those that are not taken", "internal/session/ring.go", "	for c := r.From(r.taken + 1); ; {", "	for c := r.From(r.taken + 1); c.next < r.last; {"},
	{"Shutdown was right", "session_recv.go", "	s.dropLocked()\n	s.noteLocked(a)\n", "	s.noteLocked(a)\n"},
	{"Sync was right", "session_send.go", "		if s.ring.Taken() >= target {\n			return true, nil\n		}\n		if a := s.at; a != nil && !a.feeding {\n			s.askLocked(a)\n		}\n		return false, nil", "		return s.ring.Sent() >= target, nil"},
	{"what was refused never arrives", "session_send.go", "	if err != nil || !s.core.ring.Fits(len(b)-len(buf)) {\n		s.core.ring.Unused()\n		return false, err\n	}", "	if err != nil || !s.core.ring.Fits(len(b)-len(buf)) {\n		s.core.acceptLocked(b, len(buf))\n		return false, err\n	}"},
}

// The model test finds a fault of each kind that it is there for.
func TestModelFindsWhatIsBroken(t *testing.T) {
	for _, b := range breaks {
		t.Run(b.promise, func(t *testing.T) {
			path, err := filepath.Abs(filepath.Join("../..", filepath.FromSlash(b.file)))
			if err != nil {
				t.Fatal(err)
			}
			source, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			text := strings.ReplaceAll(string(source), "\r\n", "\n")
			if n := strings.Count(text, b.old); n != 1 {
				t.Fatalf("%s has %d places like\n%s", b.file, n, b.old)
			}
			if !*broken {
				return
			}
			dir := t.TempDir()
			changed := filepath.Join(dir, "changed.go")
			if err := os.WriteFile(changed, []byte(strings.Replace(text, b.old, b.new, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{path: changed}})
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command("go", "test", "-overlay", filepath.Join(dir, "overlay.json"), "-timeout=3m", "-run=TestSession32Model", ".", "-session.programs=3000").CombinedOutput()
			if err == nil || !strings.Contains(string(out), "FAIL") || strings.Contains(string(out), "[build failed]") {
				t.Errorf("it was not found: %v\n%s", err, out)
			} else {
				lines := strings.SplitN(string(out), "\n", 4)
				t.Logf("found: %s", strings.Join(lines[:min(3, len(lines))], " "))
			}
		})
	}
}
