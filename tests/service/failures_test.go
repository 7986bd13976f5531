package service

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

var updateDocs = flag.Bool("update", false, "write the table of docs/failures.md instead of comparing with it")

type message interface{ isMessage() }

type text string

func (text) isMessage() {}

var failing = qsocket.Protocol[message]{Name: "failures/1", Codec: qsocket.Union(qsocket.Case[message](1, qsocket.Msgpack[text]()))}

// forgetful is a codec that cannot take back what it has encoded.
type forgetful struct{ qsocket.Codec[message] }

func (forgetful) Stateless() bool { return false }
func (f forgetful) NewEncoder() qsocket.Encoder[message] {
	return panicking{f.Codec.NewEncoder()}
}

type panicking struct{ enc qsocket.Encoder[message] }

func (p panicking) Append(dst []byte, v message) ([]byte, error) {
	if v == text("panic") {
		panic("a secret")
	}
	return p.enc.Append(dst, v)
}

// end is one of the two ends of a connection: the one that fails.
type end struct {
	t    *testing.T
	ln   *qsocket.Listener[message]
	conn *qsocket.Conn[message]
}

// failure is a row of the table.
type failure struct {
	name  string
	opts  qsocket.Options
	codec qsocket.Codec[message]
	bytes string        // hexadecimal: what the peer sends to make the end fail
	fin   bool          // the peer ends its half of the stream behind bytes
	idle  time.Duration // for which the peer does not receive
	do    func(e *end)  // what makes it fail otherwise; bytes are there already
	code  qsocket.Code  // that the peer gets

	handle func(context.Context, *qsocket.Conn[message]) // the end is that of a handler of Serve
}

const stuck = 1500 * time.Millisecond

var failures = []failure{
	{name: "a message that cannot be decoded", bytes: "00000002 01c1", code: qsocket.CodeBadMessage},
	{name: "a message of an unknown case", bytes: "00000003 07a161", code: qsocket.CodeBadMessage},
	{name: "a message without a payload", bytes: "00000000", code: qsocket.CodeBadMessage},
	{name: "a message above MaxFrame", bytes: "7fffffff", code: qsocket.CodeTooLarge},
	{name: "a reserved control frame", bytes: "80000001 07", code: qsocket.CodeProtocol},
	{name: "a confirm of nothing", bytes: "80000001 03", code: qsocket.CodeProtocol},
	{name: "a goodbye that is none", bytes: "80000002 01c0", code: qsocket.CodeProtocol},
	{name: "FrameTimeout", bytes: "00000009 01a8", opts: qsocket.Options{FrameTimeout: 200 * time.Millisecond}, code: qsocket.CodeTimeout},
	{
		name: "WriteTimeout, and the peer goes on", idle: stuck, opts: qsocket.Options{WriteTimeout: 200 * time.Millisecond, CloseTimeout: 5 * time.Second},
		do: func(e *end) { e.fill(); e.ended() }, code: qsocket.CodeTimeout,
	},
	{
		name: "a slow consumer that goes on", idle: stuck,
		do: func(e *end) { e.broadcast() }, code: qsocket.CodeSlowConsumer,
	},
	{
		name: "a slow consumer that is stuck", idle: stuck, opts: qsocket.Options{CloseTimeout: 200 * time.Millisecond},
		do: func(e *end) { e.broadcast() },
	},
	{
		name: "a panic of the handler", code: qsocket.CodePanic,
		handle: func(context.Context, *qsocket.Conn[message]) { panic("a secret") },
	},
	{
		name: "an encoder with state that panics", codec: forgetful{failing.Codec}, code: qsocket.CodeInternal,
		do: func(e *end) { _ = e.conn.Send(e.t.Context(), text("panic")) },
	},
	{name: "Close", do: func(e *end) { _ = e.conn.Close() }},
	{name: `CloseWithReason("maintenance")`, do: func(e *end) { _ = e.conn.CloseWithReason("maintenance") }},
	{
		name: `CloseWithCode(1000, "no space")`, code: 1000,
		do: func(e *end) { _ = e.conn.CloseWithCode(1000, "no space") },
	},
	{
		name: `Drain, whose ctx ends, with "update"`, code: qsocket.CodeGoingAway,
		do: func(e *end) {
			ctx, cancel := context.WithTimeout(e.t.Context(), 50*time.Millisecond)
			defer cancel()
			_ = e.ln.Drain(ctx, "update")
		},
	},
	{name: "the stream ends without a goodbye", fin: true},
	{name: "the stream ends inside a frame", bytes: "00000009 01a8", fin: true},
}

// fill sends until nothing more is taken, or the Conn has ended.
func (e *end) fill() {
	for e.conn.Send(e.t.Context(), text(strings.Repeat("x", 64<<10))) == nil {
	}
}

// broadcast sends to the peer, in a Group, until it has been thrown out.
func (e *end) broadcast() {
	g := qsocket.NewGroup(failing, qsocket.Disconnect)
	g.Add(e.conn)
	for g.Len() > 0 {
		if _, err := g.Broadcast(e.t.Context(), text(strings.Repeat("x", 64<<10))); err != nil {
			e.t.Error(err)
		}
	}
}

func (e *end) ended() { testkit.WaitClosed(e.t, "Done", e.conn.Done()) }

func (f *failure) protocol() qsocket.Protocol[message] {
	p := failing
	if f.codec != nil {
		p.Codec = f.codec
	}
	return p
}

// begin makes the end that fails of nc.
func (f *failure) begin(t *testing.T, nc net.Conn) *end {
	t.Helper()
	opts := f.opts
	ln, err := qsocket.NewListener(testkit.OneConn(nc), f.protocol(), &opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { testkit.EndListener(ln) })
	e := &end{t: t, ln: ln}
	if f.handle == nil {
		e.conn = testkit.Accept(t, ln)
		return e
	}
	conns := make(chan *qsocket.Conn[message], 1)
	testkit.Serve(t.Context(), ln, func(ctx context.Context, c *qsocket.Conn[message]) {
		conns <- c
		f.handle(ctx, c)
	})
	e.conn = testkit.Result(t, "the handler", conns)
	return e
}

// run makes e fail and returns what its Err says.
func (f *failure) run(e *end) string {
	done := make(chan struct{})
	go func() { // ends with the Conn
		defer close(done)
		for range e.conn.Messages() {
		}
	}()
	if f.do != nil {
		f.do(e)
	}
	testkit.WaitClosed(e.t, "Messages", done)
	return say(e.conn.Err())
}

var addresses = regexp.MustCompile(`read tcp \S+->\S+: `)

// say shows an error as the table does.
func say(err error) string {
	if err == nil {
		return "nil"
	}
	return sayText(err.Error())
}

func sayText(said string) string {
	return strings.TrimPrefix(addresses.ReplaceAllString(said, ""), "qsocket: ")
}

// Every row of the table in docs/failures.md is what each end is told, and says, with a peer of
// this version and with one of before the codes, which knows only reasons and resets.
func TestFailures(t *testing.T) {
	old := before(t)
	rows := make([]string, len(failures))
	for i := range failures {
		f := &failures[i]
		t.Run(f.name, func(t *testing.T) {
			here, there, code := f.between(t)
			if code != f.code {
				t.Errorf("the peer got the code %d, want %d", code, f.code)
			}
			heard, failed := "", ""
			if old != "" {
				heard = f.heardBefore(t, old)
				failed = f.failedBefore(t, old)
			}
			for _, text := range []string{there, heard, failed} {
				if strings.Contains(text, "secret") {
					t.Errorf("the peer got %q", text)
				}
			}
			rows[i] = fmt.Sprintf("| %s | %s | %s | %s | %s |\n", f.name, here, there, heard, failed)
		})
	}
	if old != "" && !t.Failed() {
		compareTable(t, "../../docs/failures.md", "<!-- failures -->\n", "<!-- end of failures -->\n",
			"| the end | its Err | the peer's Err | the Err of a peer of before | the peer's Err, of an end of before |\n|---|---|---|---|---|\n"+strings.Join(rows, ""))
	}
}

// between is what happens between two ends of today.
func (f *failure) between(t *testing.T) (here, there string, code qsocket.Code) {
	client, server := testkit.Dialed(t, "tcp", "127.0.0.1:0")
	made := testkit.Async(func() *end { return f.begin(t, server) })
	peer, err := qsocket.NewConn(t.Context(), client, f.protocol(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer testkit.End(peer)
	e := testkit.Result(t, "the end", made)
	f.misbehave(t, client)
	ended := testkit.Async(func() error {
		time.Sleep(f.idle)
		for range peer.Messages() {
		}
		return peer.Err()
	})
	here = f.run(e)
	theirs := testkit.Result(t, "the peer", ended)
	var remote *qsocket.RemoteError
	if errors.As(theirs, &remote) {
		code = remote.Code
	}
	return here, say(theirs), code
}

// misbehave writes what the peer does, over its socket.
func (f *failure) misbehave(t *testing.T, peer net.Conn) {
	t.Helper()
	if _, err := peer.Write(testkit.Unhex(f.bytes)); err != nil {
		t.Error(err)
	}
	if f.fin {
		if err := peer.(*net.TCPConn).CloseWrite(); err != nil {
			t.Error(err)
		}
	}
}

// compareTable compares what stands between two lines of a page with want, or writes it.
func compareTable(t *testing.T, path, begin, end, want string) {
	t.Helper()
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut(string(page), begin)
	got, tail, ok := strings.Cut(rest, end)
	switch {
	case !ok:
		t.Fatalf("%s: no %q and %q", path, begin, end)
	case *updateDocs:
		if err := os.WriteFile(path, []byte(head+begin+want+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
	case got != want:
		t.Errorf("%s says\n%s\nwant (to write it: go test ./tests/service -args -update)\n%s", path, got, want)
	}
}
