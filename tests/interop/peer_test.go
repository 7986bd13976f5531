package interop

import (
	"flag"
	"net"
	"os"
	"os/exec"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/leak"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/pickle"
)

// TestMain fails the run if goroutines of the module outlive the tests.
func TestMain(m *testing.M) { leak.Main(m) }

// A peer is a program in another language.
type peer struct {
	name    string
	command func(t *testing.T) *exec.Cmd // skips the test if the language is not there
	named   bool
	framing qsocket.Framing // in raw mode
	largest int             // bytes of a frame at most; 0: no such limit
	types   bool            // it can tell the description of its messages
	pickles bool            // its messages are pickles
	nightly bool            // it tries frames, and values there and back
	typed   bool            // its values have the fields that its language has types for, without an any
}

var peers = []peer{
	{name: "Node", command: node("peer.js"), named: true, types: true},
	{name: "Python", command: python, named: true},
	{name: "Erlang 1", command: escript("1"), framing: qsocket.Uint8, largest: 255},
	{name: "Erlang 2", command: escript("2"), framing: qsocket.Uint16, largest: 65535},
	{name: "Erlang 4", command: escript("4"), framing: qsocket.Uint32},
	{name: "Twisted int32", command: twisted("int32"), framing: qsocket.Uint32},
	{name: "Twisted netstring", command: twisted("netstring"), framing: qsocket.Netstring},
	{name: "pickles", command: original, framing: qsocket.Uint32, pickles: true},
}

var nightly = flag.Bool("nightly", false, "try the peers that have to be built, too")

// nightlyPeers are built by ci/interop.sh -nightly.
var nightlyPeers = []peer{
	{name: "Rust tokio-util", command: built("rust/target/debug/peer"), framing: qsocket.Uint32LE, nightly: true, typed: true},
	{name: "Netty", command: java("Peer"), framing: qsocket.Uint32, nightly: true},
	{name: "frame-stream", command: framings("frame-stream"), framing: qsocket.Uint16, nightly: true, largest: 65535},
	{name: "it-length-prefixed", command: framings("it-length-prefixed"), framing: qsocket.Uvarint, nightly: true},
}

// built is a program that has been built.
func built(file string) func(t *testing.T) *exec.Cmd {
	return func(t *testing.T) *exec.Cmd {
		t.Helper()
		return exec.CommandContext(testkit.Context(t), "../../interop/"+file)
	}
}

// java is a class that has been compiled.
func java(args ...string) func(t *testing.T) *exec.Cmd {
	return func(t *testing.T) *exec.Cmd {
		t.Helper()
		path, err := os.ReadFile("../../interop/java/classes/path")
		if err != nil {
			t.Fatalf("%v: run ci/interop.sh -nightly", err)
		}
		return exec.CommandContext(testkit.Context(t), "java", append([]string{"-cp", string(path)}, args...)...)
	}
}

// framings is a peer in JavaScript over a framing from npm.
func framings(name string) func(t *testing.T) *exec.Cmd {
	return func(t *testing.T) *exec.Cmd {
		t.Helper()
		cmd := exec.CommandContext(testkit.Context(t), "node", "peer.js", name)
		cmd.Dir = "../../interop/framings"
		return cmd
	}
}

func node(args ...string) func(t *testing.T) *exec.Cmd {
	return func(t *testing.T) *exec.Cmd {
		t.Helper()
		if _, err := exec.LookPath("node"); err != nil {
			testkit.Absent(t, "no Node on PATH: apt-get install nodejs npm")
		}
		if _, err := os.Stat("../../interop/node/node_modules"); err != nil {
			testkit.Absent(t, "no node_modules: run npm ci in interop/node")
		}
		cmd := exec.CommandContext(testkit.Context(t), "node", args...)
		cmd.Dir = "../../interop/node"
		return cmd
	}
}

func python(t *testing.T) *exec.Cmd {
	t.Helper()
	return testkit.Python(t, "../../interop/python/peer.py")
}

func original(t *testing.T) *exec.Cmd {
	t.Helper()
	return testkit.PlainPython(t, "../../interop/original/peer.py")
}

func escript(args ...string) func(t *testing.T) *exec.Cmd {
	return func(t *testing.T) *exec.Cmd {
		t.Helper()
		if _, err := exec.LookPath("escript"); err != nil {
			testkit.Absent(t, "no escript on PATH: apt-get install erlang-base")
		}
		return exec.CommandContext(testkit.Context(t), "escript", append([]string{"../../interop/erlang/peer.escript"}, args...)...)
	}
}

func twisted(args ...string) func(t *testing.T) *exec.Cmd {
	return func(t *testing.T) *exec.Cmd {
		t.Helper()
		return testkit.PythonWith(t, "twisted, msgpack", "apt-get install python3-twisted python3-msgpack", append([]string{"../../interop/twisted/peer.py"}, args...)...)
	}
}

// A match is a peer that runs, in one of the two roles.
type match struct {
	peer
	role string // of the peer: "client" or "server"
	*program
}

// protocolOf is a protocol as the peer of m speaks it.
func protocolOf[T any](m match, name string, codec qsocket.Codec[T]) qsocket.Protocol[T] {
	if m.named {
		return qsocket.Protocol[T]{Name: name, Codec: codec}
	}
	return qsocket.Protocol[T]{Codec: codec, Framing: m.framing}
}

func (m match) values() qsocket.Protocol[Value] {
	if m.pickles {
		return protocolOf(m, "", pickle.Codec[Value]())
	}
	return protocolOf(m, "values/1", qsocket.Msgpack[Value]())
}

func (m match) bytes() qsocket.Protocol[[]byte] { return protocolOf(m, "bytes/1", testkit.RawCodec) }

// dial connects the peer of m, which has got a task, with the library. In named mode the handshake may fail.
func dial[T any](t *testing.T, m match, p qsocket.Protocol[T], opts *qsocket.Options, task string) (*qsocket.Conn[T], error) {
	t.Helper()
	ctx := testkit.Context(t)
	if m.role == "server" {
		m.do(t, "server 0 %s", task)
		c, err := qsocket.Dial(ctx, "tcp", "127.0.0.1:"+m.said(t, "READY"), p, opts)
		if err == nil {
			t.Cleanup(func() { testkit.End(c) })
		}
		return c, err
	}
	nc := acceptOne(t, m, task)
	c, err := qsocket.NewConn(ctx, nc, p, opts)
	if err == nil {
		t.Cleanup(func() { testkit.End(c) })
	}
	return c, err
}

// acceptOne returns the connection that the peer makes for a task.
func acceptOne(t *testing.T, m match, task string) net.Conn {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	m.do(t, "client %d %s", ln.Addr().(*net.TCPAddr).Port, task)
	accepted := testkit.Async(func() net.Conn { // until ln is closed
		nc, err := ln.Accept()
		if err != nil {
			t.Error(err)
		}
		return nc
	})
	nc := testkit.Result(t, "a connection", accepted)
	if nc == nil {
		t.FailNow()
	}
	return nc
}

// meet is dial where the handshake must succeed.
func meet[T any](t *testing.T, m match, p qsocket.Protocol[T], opts *qsocket.Options, task string) *qsocket.Conn[T] {
	t.Helper()
	c, err := dial(t, m, p, opts, task)
	if err != nil {
		t.Fatalf("%s: %v", task, err)
	}
	return c
}

// done waits for what the peer says of its task.
func (m match) done(t *testing.T, task string, want ...string) {
	t.Helper()
	got := m.said(t, "DONE")
	for _, want := range want {
		if got == want {
			return
		}
	}
	t.Errorf("%s: the peer says %q, want one of %q", task, got, want)
}
