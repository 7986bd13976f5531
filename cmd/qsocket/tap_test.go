package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"

	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/conversation"
)

// tapping is a tap that runs in this process.
type tapping struct {
	addr string // that it listens at
	out  *safeBuffer
	err  *safeBuffer
	code chan int
	stop func()
}

// safeBuffer is a buffer for two goroutines.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

var listeningLine = regexp.MustCompile(`listening at (\S+), for`)

// tapTo begins a tap in front of a server.
func tapTo(t testing.TB, to string, args ...string) *tapping {
	t.Helper()
	return tapAt(t, "127.0.0.1:0", to, args...)
}

func tapAt(t testing.TB, at, to string, args ...string) *tapping {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	tap := &tapping{out: new(safeBuffer), err: new(safeBuffer), code: make(chan int, 1), stop: cancel}
	all := append([]string{"tap", "--listen", at, "--to", to}, args...)
	go func() { tap.code <- run(ctx, all, strings.NewReader(""), tap.out, tap.err) }() // ends with cancel
	waitFor(t, "the tap to listen", func() bool {
		m := listeningLine.FindStringSubmatch(tap.err.String())
		if m != nil {
			tap.addr = m[1]
		}
		return m != nil || len(tap.code) > 0
	})
	t.Cleanup(func() {
		if cancel(); tap.addr != "" {
			tap.code <- <-tap.code
		}
	})
	return tap
}

// waitFor waits until something is so.
func waitFor(t testing.TB, what string, is func() bool) {
	t.Helper()
	for begun := time.Now(); !is(); time.Sleep(time.Millisecond) {
		if time.Since(begun) > patience {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// ended waits for the end of the tap, and returns what it has printed.
func (tap *tapping) ended(t testing.TB) outcome {
	t.Helper()
	select {
	case code := <-tap.code:
		tap.code <- code
		return outcome{code, tap.out.String(), strings.Join(strings.SplitAfter(tap.err.String(), "\n")[1:], "")}
	case <-time.After(patience):
		t.Fatalf("the tap goes on\n%s\n%s", tap.out, tap.err)
	}
	panic("unreachable")
}

// events are the lines of JSON that a tap has printed.
func (o outcome) events(t testing.TB) (list []conversation.Event) {
	t.Helper()
	for line := range strings.Lines(o.out) {
		var e conversation.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		list = append(list, e)
	}
	return list
}

func dialTap[T any](t testing.TB, addr string, p qsocket.Protocol[T], opts *qsocket.Options) *qsocket.Conn[T] {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, at, _ := strings.Cut(addr, "://")
	c, err := qsocket.Dial(ctx, "tcp", at, p, opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// deal sends a sale, and ends the conversation after the answer.
func dealThrough(t testing.TB, addr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c := dialTap(t, addr, deals, nil)
	for id := range 2 {
		if err := c.Send(ctx, sale{ID: uint64(id), Price: 1.5}); err != nil {
			t.Fatal(err)
		}
		if got, err := c.Recv(ctx); err != nil || got.(refund).ID != uint64(id) {
			t.Fatalf("got %v, %v", got, err)
		}
	}
	if err := c.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
}

var tapLines = `^1      \d\d:\d\d:\d\d\.\d{6} \+0\.000000s   open 127\.0\.0\.1:\d+
1\.\d    \S+ \+\d\.\d{6}s [→←] hello \d+ deals?/1, codec union\(msgpack\), takes up to 1048576 bytes, heartbeat 15s, types [0-9a-f]{32}
1\.\d    \S+ \+\d\.\d{6}s [→←] hello \d+ deals?/1, codec union\(msgpack\), takes up to 1048576 bytes, heartbeat 15s, types [0-9a-f]{32}
1\.3    \S+ \+\d\.\d{6}s → message \d+ sale \{"ID":0,"Price":1\.5,"At":"0001-01-01T00:00:00Z","Tags":null\}
1\.4    \S+ \+\d\.\d{6}s ← message \d+ refund \{"ID":0,"Note":"AQ=="\}
1\.5    \S+ \+\d\.\d{6}s → message \d+ sale \{"ID":1,.*
1\.6    \S+ \+\d\.\d{6}s ← message \d+ refund \{"ID":1,"Note":"AQ=="\}
1\.7    \S+ \+\d\.\d{6}s → goodbye \d+ full: sends and reads no more messages
(?s:.*)confirm 5 has taken every message before the goodbye
(?s:.*)1      \S+ \+\d\.\d{6}s   closed
$`

func TestTap(t *testing.T) {
	s := serve(t, deals, nil, filling)
	tap := tapTo(t, s.url, "--once")
	dealThrough(t, tap.addr)
	got := tap.ended(t)
	got.want(t, exitWell)
	if !regexp.MustCompile(strings.ReplaceAll(tapLines, "deals?/1", regexp.QuoteMeta(deals.Name))).MatchString(got.out) {
		t.Errorf("got\n%s\nwant\n%s", got.out, tapLines)
	}
	if fault := testkit.TextFault(strings.ReplaceAll(got.out, "\n", ""), 1<<20); fault != "" {
		t.Error(fault)
	}
}

func TestTapJSON(t *testing.T) {
	s := serve(t, deals, nil, filling)
	for _, ask := range []bool{true, false} {
		args := []string{"--once", "--json"}
		name := "refund"
		if !ask {
			args = append(args, "--no-ask")
			name = "2" // the two ends are of one version, and tell each other no types
		}
		tap := tapTo(t, s.url, args...)
		dealThrough(t, tap.addr)
		events := tap.ended(t).events(t)
		types := map[string]int{}
		for i, e := range events {
			types[e.Type]++
			if e.Type == "message" && e.From == "server" && (e.Case != name || !strings.Contains(string(e.Message), `{"ID":`)) {
				t.Errorf("event %d: got the case %s, %s, want %s", i, e.Case, e.Message, name)
			}
		}
		want := map[string]int{"open": 1, "hello": 2, "message": 4, "goodbye": 2, "confirm": 2, "end": 2, "closed": 1}
		if fmt.Sprint(types) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", types, want)
		}
	}
}

// What is no hello goes through as it is, and is counted.
func TestTapStrangers(t *testing.T) {
	nl := listenLoopback(t)
	go func() { // ends with nl
		for {
			nc, err := nl.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(nc, nc); nc.Close() }() // ends with its client
		}
	}()
	tap := tapTo(t, nl.Addr().String(), "--once", "--json")
	nc, err := net.Dial("tcp", strings.TrimPrefix(tap.addr, "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	sent := bytes.Repeat([]byte("GET / HTTP/1.1\r\n\x1b[31m"), 100_000)
	go func() { _, _ = nc.Write(sent); _ = nc.(*net.TCPConn).CloseWrite() }() // ends when the echo is read
	got, err := io.ReadAll(nc)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("got %d bytes, %v, want %d", len(got), err, len(sent))
	}
	total := map[string]uint64{}
	notes := 0
	for _, e := range tap.ended(t).events(t) {
		switch e.Type {
		case "bytes", "skipped":
			total[e.From] += e.Size
		case "note":
			notes++
		}
	}
	if n := uint64(len(sent)); total["client"] != n || total["server"] != n || notes != 2 {
		t.Errorf("got %v and %d notes, want %d bytes each, and 2", total, notes, n)
	}
}

func listenLoopback(t testing.TB) net.Listener {
	t.Helper()
	nl, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nl.Close() })
	return nl
}

func TestTapTLS(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := writeCertificate(t, dir)
	s := serve(t, deals, &qsocket.Options{TLS: testkit.ServerTLS()}, filling)
	tap := tapAt(t, "tls://127.0.0.1:0", s.url, "--once", "--json", "--cert", certFile, "--key", keyFile, "--ca", certFile, "--servername", "localhost")
	c := dialTap(t, tap.addr, deals, &qsocket.Options{TLS: &tls.Config{InsecureSkipVerify: true}})
	if err := c.Send(t.Context(), sale{ID: 5}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Recv(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := tap.ended(t); !strings.Contains(got.out, `"case":"sale"`) {
		t.Errorf("got %s", got.out)
	}

	for args, want := range map[string]string{
		"--listen tls://127.0.0.1:0 --to x:1":                                    "want both --listen tls://",
		"--listen 127.0.0.1:0 --to x:1 --cert " + certFile + " --key " + keyFile: "want both --listen tls://",
		"--listen 127.0.0.1:0 --to x:1 --ca " + certFile:                         "options of TLS",
		"--listen 127.0.0.1:0 --to x:1 --cert " + certFile:                       "want both",
		"--listen 127.0.0.1:0 --to ftp://x:1":                                    "want tcp://",
		"--listen ftp://x:1 --to x:1":                                            "want tcp://",
		"--listen 127.0.0.1:0 --to x:1 --framing y":                              "none of",
		"--listen 127.0.0.1:0 --to x:1 --record " + certFile:                     "exists",
		"--listen 127.0.0.1:0":                                                   "missing flags",
	} {
		runs(t, append([]string{"tap"}, strings.Fields(args)...)...).want(t, exitUsage, want)
	}
}

// A server that is not there is told, and the client is reset.
func TestTapServerIsNotThere(t *testing.T) {
	nl := listenLoopback(t)
	nl.Close()
	tap := tapTo(t, nl.Addr().String(), "--once")
	if nc, err := net.Dial("tcp", strings.TrimPrefix(tap.addr, "tcp://")); err == nil {
		_, _ = io.ReadAll(nc)
		nc.Close()
	}
	tap.ended(t).want(t, exitWell, "failed", "connection refused")
}

func TestTapRaw(t *testing.T) {
	s := serve(t, qsocket.Protocol[any]{Codec: qsocket.JSON[any](), Framing: qsocket.Uvarint}, nil, echoing[any])
	tap := tapTo(t, s.url, "--once", "--codec", "json", "--framing", "Uvarint", "--show", "10")
	c := dialTap(t, tap.addr, qsocket.Protocol[any]{Codec: qsocket.JSON[any](), Framing: qsocket.Uvarint}, nil)
	if err := c.Send(t.Context(), strings.Repeat("é", 300)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Recv(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.Close()
	tap.ended(t).want(t, exitWell, `→ message 604 "éééé… (602 bytes of text in all)`, "← message 604")
}

// A session and its frames, as words.
func TestTapSession(t *testing.T) {
	s := serve(t, ticks, &qsocket.Options{MaxSessions: 4}, nil)
	tap := tapTo(t, s.url, "--once")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	session, err := qsocket.DialSession(ctx, "tcp", strings.TrimPrefix(tap.addr, "tcp://"), ticks, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Send(ctx, map[string]any{"a": 1}); err != nil {
		t.Fatal(err)
	}
	if err := session.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	if err := session.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	tap.ended(t).want(t, exitWell, "a session, attempt 1, 0 messages had, new", "has sessions, which wait 2m0s", "session 19 created, 0 messages had", "wants an ack", "its program has taken 1 messages of the session")
}

// On a terminal there are colors, elsewhere none, and never with NO_COLOR.
func TestTapColors(t *testing.T) {
	s := serve(t, deals, nil, filling)
	for _, test := range []struct {
		env    string
		args   []string
		colors bool
	}{{"TERM=xterm", nil, true}, {"NO_COLOR=1", nil, false}, {"TERM=dumb", nil, false}, {"TERM=xterm", []string{"--color", "never"}, false}, {"TERM=dumb", []string{"--color", "always"}, true}} {
		c := exec.Command(builtProgram(t), append([]string{"tap", "--once", "--listen", "127.0.0.1:0", "--to", s.url}, test.args...)...)
		c.Env = append(os.Environ(), "TERM=xterm", test.env)
		terminal, inside, err := pty.Open()
		if err != nil {
			t.Skip(err)
		}
		errs, err := c.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		c.Stdout = inside
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		inside.Close()
		line, err := bufio.NewReader(errs).ReadString('\n')
		m := listeningLine.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("got %q, %v", line, err)
		}
		shown := testkit.Async(func() error {
			all, _ := io.ReadAll(terminal) // which ends with an error where the terminal has no other end
			if got := bytes.Contains(all, []byte("\x1b[36m→")); got != test.colors || !bytes.Contains(all, []byte("refund")) {
				return fmt.Errorf("colors: %v, want %v: %q", got, test.colors, all)
			}
			return nil
		})
		dealThrough(t, m[1])
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
		if err := <-shown; err != nil {
			t.Errorf("%s %q: %v", test.env, test.args, err)
		}
		terminal.Close()
	}
}

// writeCertificate writes the certificate of testkit, which has signed itself, and its key.
func writeCertificate(t testing.TB, dir string) (certFile, keyFile string) {
	t.Helper()
	certificate := testkit.CA().Server
	der, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: certificate.Certificate[0]},
		keyFile:  {Type: "PRIVATE KEY", Bytes: der},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}
