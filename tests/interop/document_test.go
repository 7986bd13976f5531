package interop

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// Order is the message of the programs in docs/interop.md.
type Order struct {
	ID     uint64
	Price  float64
	Placed time.Time
	Note   *string
	Blob   []byte
}

// An example is a program that docs/interop.md shows. It sends an Order, and prints the one that it gets.
type example struct {
	file    string // in interop/
	fence   string // the language of its block
	command func(t *testing.T, port string) *exec.Cmd
	named   bool
	nightly bool // it has to be built
}

var examples = []example{
	{"node/order.js", "js", func(t *testing.T, port string) *exec.Cmd { return node("order.js", port)(t) }, true, false},
	{"python/order.py", "python", func(t *testing.T, port string) *exec.Cmd {
		return testkit.Python(t, "../../interop/python/order.py", port)
	}, true, false},
	{"erlang/order.escript", "erlang", func(t *testing.T, port string) *exec.Cmd {
		cmd := escript()(t)
		cmd.Args = []string{"escript", "../../interop/erlang/order.escript", port}
		return cmd
	}, false, false},
	{"twisted/order.py", "python", func(t *testing.T, port string) *exec.Cmd {
		cmd := twisted(port)(t)
		cmd.Args[1] = "../../interop/twisted/order.py"
		return cmd
	}, false, false},
	{"rust/src/bin/order.rs", "rust", func(t *testing.T, port string) *exec.Cmd {
		return exec.CommandContext(testkit.Context(t), "../../interop/rust/target/debug/order", port)
	}, false, true},
	{"java/Order.java", "java", func(t *testing.T, port string) *exec.Cmd { return java("Order", port)(t) }, false, true},
}

// The programs in docs/interop.md are those in interop/, and they do what they say.
func TestDocumentPrograms(t *testing.T) {
	for _, e := range examples {
		t.Run(e.file, func(t *testing.T) {
			compareBlock(t, e)
			if !e.nightly || *nightly {
				runExample(t, e)
			}
		})
	}
}

// The type in the page is the one with which the programs are tested, and what the page says of packages for Python is so.
func TestDocumentSentences(t *testing.T) {
	_, block, _ := strings.Cut(testkit.ReadFile(t, "../../docs/interop.md"), "```go\n")
	block, _, _ = strings.Cut(block, "```\n")
	if block == "" || !strings.Contains(testkit.ReadFile(t, "document_test.go"), block) {
		t.Errorf("the type in docs/interop.md is not the one of this test:\n%s", block)
	}
	cmd := testkit.PythonWith(t, "twisted, msgpack", "apt-get install python3-twisted python3-msgpack", "../../interop/python/traps.py")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// compareBlock compares the block behind a link to the file with the file. The flag -update writes it.
func compareBlock(t *testing.T, e example) {
	t.Helper()
	const page = "../../docs/interop.md"
	begin := "](../interop/" + e.file + "):\n\n```" + e.fence + "\n"
	head, rest, found := strings.Cut(testkit.ReadFile(t, page), begin)
	was, tail, ended := strings.Cut(rest, "```\n")
	if !found || !ended {
		t.Fatalf("%s has no block behind %q", page, begin)
	}
	is := testkit.ReadFile(t, "../../interop/"+e.file)
	if *update {
		if err := os.WriteFile(page, []byte(head+begin+is+"```\n"+tail), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(is, was); d != "" {
		t.Errorf("%s shows another program than interop/%s: go test ./tests/interop -update writes it\n%s", page, e.file, d)
	}
}

func runExample(t *testing.T, e example) {
	p := qsocket.Protocol[Order]{}
	if e.named {
		p.Name = "orders/1"
	}
	ctx := testkit.Context(t)
	ln, err := qsocket.Listen("tcp", "127.0.0.1:0", p, nil)
	if err != nil {
		t.Fatal(err)
	}
	note := "é"
	served := make(chan Order, 2)
	ctx, cancel := context.WithCancel(ctx)
	serving := testkit.Serve(ctx, ln, func(ctx context.Context, c *qsocket.Conn[Order]) {
		for order, err := range c.All(ctx) {
			if err != nil {
				t.Error(err)
				return
			}
			served <- order
			answer := Order{ID: 1<<64 - 1, Price: 5.5, Placed: time.Unix(-1, 999_999_999), Note: &note}
			if err := c.Send(ctx, answer); err != nil {
				t.Error(err)
			}
		}
	})
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	cmd := e.command(t, port)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if got, want := strings.TrimSpace(string(out)), "18446744073709551615 5.5 -1 999999999 é true"; got != want || err != nil {
		t.Errorf("the program says %q, %v, want %q\n%s", got, err, want, &stderr)
	}
	cancel()
	if err := testkit.Result(t, "Serve", serving); err != nil {
		t.Error(err)
	}
	want := Order{ID: 1<<53 + 1, Price: 5, Placed: time.Unix(1767323045, 123456789), Blob: []byte{0xff}}
	select {
	case got := <-served:
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("the order differs: %s", d)
		}
	default:
		t.Error("no order has come")
	}
}
