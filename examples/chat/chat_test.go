// Package chat_test runs the two programs against each other. What happens to them when networks and servers fail is
// tested beside them, in virtual time.
package chat_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/examples/chat"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// The messages on the wire are those that testdata records.
func TestProtocol(t *testing.T) {
	qsockettest.Golden(t, chat.Protocol)
}

// Who a client is says its token, and nothing else that it tells.
func TestAdmit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	open := func(text string) (chat.Door, error) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return chat.OpenDoor(path)
	}
	door, err := open("one ann\r\ntwo bob of two words\n\n")
	if err != nil {
		t.Fatal(err)
	}
	for token, want := range map[string]string{"one": "ann", "two": "bob of two words", "": "", "on": "", "three": ""} {
		attributes := map[string]string{"token": token, "name": "root"}
		err := door.Admit(t.Context(), qsocket.Peer{}, attributes, nil)
		if (err == nil) != (want != "") || attributes["name"] != want || attributes["token"] != "" {
			t.Errorf("%q: got %v and %v, want %q", token, err, attributes, want)
		}
	}
	for _, text := range []string{"", "one", "one ann\ntwo"} {
		if door, err := open(text); err == nil || strings.Contains(err.Error(), "one") {
			t.Errorf("%q: got %v, %v, want an error without a token", text, door, err)
		}
	}
}

// program is a running server or client.
type program struct {
	t     *testing.T
	cmd   *exec.Cmd
	input io.WriteCloser
	lines *bufio.Reader // of its log if it is a server, of its screen if it is a client
}

// start starts a program in dir. It ends with ctx at the latest.
func start(ctx context.Context, t *testing.T, dir, name, token string, args ...string) *program {
	t.Helper()
	path := filepath.Join(dir, name)
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	p := &program{t: t, cmd: exec.CommandContext(ctx, path, args...)}
	p.cmd.Env = append(os.Environ(), "TOKEN="+token)
	var pipe io.Reader
	var err error
	if name == "server" {
		pipe, err = p.cmd.StderrPipe()
	} else {
		pipe, err = p.cmd.StdoutPipe()
		p.cmd.Stderr = t.Output()
	}
	p.lines = bufio.NewReader(pipe)
	input, inputErr := p.cmd.StdinPipe()
	p.input = input
	if err := errors.Join(err, inputErr, p.cmd.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // where end was not reached
		p.cmd.Process.Kill()
		p.cmd.Wait()
	})
	return p
}

// waitFor reads up to a line with text, and returns what follows it there.
func (p *program) waitFor(text string) string {
	p.t.Helper()
	for {
		line, err := p.lines.ReadString('\n')
		if _, rest, found := strings.Cut(strings.TrimSpace(line), text); found {
			return rest
		}
		if err != nil {
			p.t.Fatalf("%s ends before %q: %v", p.cmd.Path, text, err)
		}
	}
}

// says is a line of input, if p is a client.
func (p *program) says(text string) {
	p.t.Helper()
	if _, err := io.WriteString(p.input, text+"\n"); err != nil {
		p.t.Fatal(err)
	}
}

// end waits for exit code 0, and returns what there was still to read.
func (p *program) end() string {
	p.t.Helper()
	rest, err := io.ReadAll(p.lines)
	if err = errors.Join(err, p.cmd.Wait()); err != nil {
		p.t.Errorf("%s: %v\n%s", p.cmd.Path, err, rest)
	}
	return string(rest)
}

// A conversation over loopback, in the midst of which the server is replaced.
func TestPrograms(t *testing.T) {
	dir := t.TempDir()
	tokens := filepath.Join(dir, "tokens")
	if err := os.WriteFile(tokens, []byte("secret-a ann\nsecret-b bob\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", dir+string(filepath.Separator), "./server", "./client").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()

	server := start(ctx, t, dir, "server", "", "-listen", "127.0.0.1:0", "-tokens", tokens)
	address := server.waitFor("listening on ")
	ann := start(ctx, t, dir, "client", "secret-a", "-dial", address)
	ann.waitFor("ann is here")
	bob := start(ctx, t, dir, "client", "secret-b", "-dial", address)
	bob.waitFor("bob is here")
	ann.waitFor("bob joined")
	ann.says("hello")
	bob.waitFor(`ann: "hello"`)

	eve := exec.CommandContext(ctx, ann.cmd.Path, "-dial", address) // without a token
	if out, err := eve.CombinedOutput(); err == nil || !strings.Contains(string(out), "no valid token") {
		t.Errorf("got %v, %s, want the reason of the refusal", err, out)
	}

	if runtime.GOOS != "windows" { // which has no such signal
		if err := server.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		server.end()
		server = start(ctx, t, dir, "server", "", "-listen", address, "-tokens", tokens)
		server.waitFor("entered name=") // one of them
		server.waitFor("entered name=") // and the other: what is said before that not all hear
		bob.says("still there?")
		bob.input.Close()
		ann.waitFor(`bob: "still there?"`)
		if rest := bob.end(); rest != "" {
			t.Errorf("bob was shown\n%s", rest)
		}
		ann.waitFor("bob left")
		ann.input.Close()
		if rest := ann.end(); rest != "" {
			t.Errorf("ann was shown\n%s", rest)
		}
		if err := server.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		server.end()
	}
}
