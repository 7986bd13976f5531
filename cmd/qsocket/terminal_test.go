//go:build unix

package main

import (
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/creack/pty"

	"github.com/fb9bb4ed/qsocket/examples/echo"
)

// onTerminal runs the built program in a pseudo-terminal, and returns what has appeared there.
func onTerminal(t *testing.T, env []string, args ...string) (shown string, code int) {
	t.Helper()
	c := exec.CommandContext(t.Context(), builtProgram(t), args...)
	c.Env = append(c.Environ(), append([]string{"TERM=xterm", "NO_COLOR="}, env...)...)
	f, err := pty.StartWithSize(c, &pty.Winsize{Rows: 40, Cols: 120})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, _ := io.ReadAll(f) // on Linux the end of a terminal is an error
	_ = c.Wait()
	return strings.ReplaceAll(string(all), "\r\n", "\n"), c.ProcessState.ExitCode()
}

// On a terminal the headings of a comparison are coloured, unless NO_COLOR asks for none; elsewhere they never are.
func TestColors(t *testing.T) {
	dir := t.TempDir()
	for name, text := range documentFiles(t) {
		writeFile(t, filepath.Join(dir, name), text)
	}
	args := []string{"schema", "diff", filepath.Join(dir, "orders_1.protocol"), filepath.Join(dir, "orders_2.protocol")}
	shown, code := onTerminal(t, nil, args...)
	if code != 1 || !strings.HasPrefix(shown, "\x1b[31mbreaks\x1b[0m:\n") || !strings.Contains(shown, "\n\x1b[33mloses\x1b[0m:\n") {
		t.Errorf("got code %d, %q", code, shown)
	}
	plain := runsBuilt(t, "", args...).out
	if strings.Contains(plain, "\x1b") || !strings.HasPrefix(plain, "breaks:\n") {
		t.Errorf("got %q", plain)
	}
	for _, env := range []string{"NO_COLOR=1", "TERM=dumb"} {
		if shown, code := onTerminal(t, []string{env}, args...); shown != plain || code != 1 {
			t.Errorf("%s: got %q", env, shown)
		}
	}
}

// While a load runs a bar shows how far it is, and is gone at the end.
func TestProgress(t *testing.T) {
	s := serve(t, echo.Protocol, nil, echoing[string])
	path := filepath.Join(t.TempDir(), "x.jsonl")
	writeFile(t, path, "\"x\"\n")
	shown, code := onTerminal(t, nil, "load", "--rate", "1000", "--for", "1s", s.url, path)
	if code != 0 || !strings.Contains(shown, " of 1s, ") || !strings.Contains(shown, " sent, ") || !strings.Contains(shown, "%") {
		t.Errorf("got code %d, %q", code, shown)
	}
	if i := strings.Index(shown, "echo/1, msgpack over 1 connection"); i < 0 || strings.Contains(shown[i:], "\r") || strings.Contains(shown[i:], "\x1b") {
		t.Errorf("got %q", shown)
	}
	if o := runsBuilt(t, "", "load", "--rate", "1000", "--for", "200ms", s.url, path); o.err != "" {
		t.Errorf("where there is no terminal: got %q", o.err)
	}
}
