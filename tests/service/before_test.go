package service

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// lastBefore is the last commit before a goodbye could have a code.
const lastBefore = "21a366aba007975047e6d4caabf25c05d45640f4"

// before returns the path of testdata/before, built with the library of lastBefore, or "" where
// the history of the project is not there.
func before(t *testing.T) (program string) {
	t.Helper()
	if testkit.RaceEnabled { // it is another program's race that would be found
		return ""
	}
	dir := t.TempDir()
	archive := filepath.Join(dir, "library.tar")
	if out, err := exec.Command("git", "-C", "../..", "archive", "-o", archive, lastBefore).CombinedOutput(); err != nil {
		t.Logf("the ends of before are not tested: this needs git, and a clone that has the commit %s (git fetch --unshallow): %v: %s", lastBefore, err, out)
		return ""
	}
	library := filepath.Join(dir, "library")
	command := filepath.Join(library, "before")
	if err := os.MkdirAll(command, 0o755); err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("testdata/before/main.go")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(command, "main.go"), source, 0o644); err != nil {
		t.Fatal(err)
	}
	program = filepath.Join(dir, "before.exe")
	for _, args := range [][]string{{"tar", "-xf", archive, "-C", library}, {"go", "build", "-o", program, "./before"}} {
		build := exec.Command(args[0], args[1:]...)
		build.Dir = library
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", args, err, out)
		}
	}
	return program
}

// start runs the program against ln and returns the channel of what it says of its end.
func start(t *testing.T, program string, ln net.Listener, args ...string) <-chan string {
	t.Helper()
	run := exec.CommandContext(t.Context(), program, append(args, "-address="+ln.Addr().String())...)
	return testkit.Async(func() string {
		out, err := run.CombinedOutput()
		if err != nil {
			t.Errorf("%v: %s", err, out)
		}
		said := strings.TrimSpace(string(out))
		if said == "<nil>" {
			return "nil"
		}
		return sayText(said)
	})
}

// heardBefore returns what the Err of an end of before says when one of today fails.
func (f *failure) heardBefore(t *testing.T, program string) string {
	t.Helper()
	if f.codec != nil { // which it does not have
		return "–"
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	said := start(t, program, ln, "-write="+strings.ReplaceAll(f.bytes, " ", ""), fmt.Sprintf("-fin=%v", f.fin), "-idle="+f.idle.String())
	nc, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	f.run(f.begin(t, nc))
	return testkit.Result(t, "the program", said)
}

// failedBefore returns what the Err of an end of today says when one of before fails, because of
// what that end has sent.
func (f *failure) failedBefore(t *testing.T, program string) string {
	t.Helper()
	if f.do != nil || f.handle != nil {
		return "–"
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	said := start(t, program, ln, "-frame-timeout="+f.opts.FrameTimeout.String())
	nc, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	peer, err := qsocket.NewConn(t.Context(), nc, failing, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer testkit.End(peer)
	f.misbehave(t, nc)
	for range peer.Messages() {
	}
	testkit.Result(t, "the program", said)
	return say(peer.Err())
}
