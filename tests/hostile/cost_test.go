package hostile

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// TestCost measures what one client can make a server hold, in each of the states that
// docs/security.md lists, and compares it with what the table there says. The memory is
// that of the heap and of stacks, of both ends: the client is a bare socket.
//
//	go test -run TestCost -v ./tests/hostile    prints the table as measured
func TestCost(t *testing.T) {
	if testkit.RaceEnabled {
		t.Skip("the race detector needs memory of its own; run without -race")
	}
	if state := os.Getenv(costChild); state != "" {
		for _, c := range costs() {
			if c.state == state {
				fmt.Println(costChild, c.measure(t))
			}
		}
		return
	}
	stated := readCosts(t, "../../docs/security.md")
	for _, c := range costs() {
		t.Run(c.state, func(t *testing.T) {
			most, ok := stated[c.state]
			if !ok {
				t.Errorf("docs/security.md has no row for it")
			}
			delete(stated, c.state)
			got := c.inChild(t)
			t.Logf("%s: %.1f KiB, stated %.1f", c.state, float64(got)/1024, float64(most)/1024)
			if got > most {
				t.Errorf("%.1f KiB, want at most %.1f, as docs/security.md says", float64(got)/1024, float64(most)/1024)
			}
			if got < most/3 && most > 8<<10 {
				t.Errorf("%.1f KiB, but docs/security.md says %.1f: want the truth", float64(got)/1024, float64(most)/1024)
			}
		})
	}
	for state := range stated {
		t.Errorf("docs/security.md has a row for %q, which no test measures", state)
	}
}

// costChild, in the environment, makes the test its own child: it says which state to
// measure.
const costChild = "QSOCKET_COST"

// inChild measures in a process of its own, because what a stack takes depends on those
// that were there before.
func (c cost) inChild(t *testing.T) int {
	cmd := exec.Command(os.Args[0], "-test.run=^TestCost$", "-test.timeout=2m")
	cmd.Env = append(os.Environ(), costChild+"="+c.state)
	out, err := cmd.CombinedOutput()
	_, rest, ok := strings.Cut(string(out), costChild+" ")
	if err != nil || !ok {
		t.Fatalf("%v\n%s", err, out)
	}
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// readCosts reads the table of docs/security.md: bytes, by state.
func readCosts(t *testing.T, path string) map[string]int {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	row := regexp.MustCompile(`^\| ([^|]+) \| ([0-9.]+) (KiB|MiB) \|`)
	unit := map[string]float64{"KiB": 1 << 10, "MiB": 1 << 20}
	stated := make(map[string]int)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if m := row.FindStringSubmatch(lines.Text()); m != nil {
			n, err := strconv.ParseFloat(m[2], 64)
			if err != nil {
				t.Fatal(err)
			}
			stated[m[1]] = int(n * unit[m[3]])
		}
	}
	return stated
}

// cost is a state that a client can be in.
type cost struct {
	state   string
	measure func(*testing.T) int // bytes for each client
}

type costMessage struct {
	Name string
	At   []int
}

type costList []struct {
	N string
	_ [110]int64
}

func costs() []cost {
	message := costMessage{"hello", []int{1, 2, 3}}
	large := make(costList, 4<<20/900)
	for i := range large {
		large[i].N = strings.Repeat("x", 20)
	}
	words := make([]string, 2000)
	for i := range words {
		words[i] = fmt.Sprint("word ", i%50)
	}
	all := []cost{
		{"has connected, and says nothing", silent(false, nil)},
		{"the same where the server has TLS", silent(true, nil)},
		{"has sent its hello, 4,096 bytes, but for a byte", silent(false, longHello())},
		{"has sent the description of its types, 64 KiB, but for a byte", silent(false, longDescription())},
		{"waits for an Admit that takes its time", silentWith(&qsocket.Options{Admit: slowAdmit}, hello("msgpack", "", 0, nil))},
		{"the same, and has told 32 attributes of 1,536 bytes", silentWith(&qsocket.Options{Admit: slowAdmit}, hello("msgpack", "", 0, manyAttributes()))},
		{"is idle, msgpack, All, and has told 32 attributes of 1,536 bytes", costOf(300, qsocket.Msgpack[costMessage](), "All attributes", nil)},
		{"has sent a frame of 1 MiB, but for a byte", costOf(5, qsocket.Msgpack[costMessage](), "Messages", partialFrame(1<<20))},
		{"has sent messages of 4 MiB in memory each, which are not taken from Messages", costOf(3, qsocket.Msgpack[costList](), "wait", costFrames(qsocket.Msgpack[costList](), large, 20))},
		{"takes nothing, while a handler sends", costOf(20, qsocket.Msgpack[costMessage](), "send", nil)},
		{"is idle, gob, and has defined 450 types that nothing needs", costOf(50, qsocket.Gob[hostileStruct](), "All", frames(evalHostile("struct(65 A:2) 450*{struct(66+@ X:2)} msg{ i(65) 01 02 00 }", nil)))},
		{"is idle, msgpack, and has sent 2,000 short strings", costOf(200, qsocket.Msgpack[[]string](), "All", costFrames(qsocket.Msgpack[[]string](), words, 1))},
	}
	once, gobOnce, jsonOnce := costFrames(qsocket.Msgpack[costMessage](), message, 1), costFrames(qsocket.Gob[costMessage](), message, 1), costFrames(qsocket.JSON[costMessage](), message, 1)
	forty := costFrames(qsocket.Msgpack[costMessage](), costMessage{Name: strings.Repeat("x", 85)}, 40)
	for _, mode := range []string{"All", "Messages"} {
		all = append(all,
			cost{"is idle, msgpack, " + mode, costOf(300, qsocket.Msgpack[costMessage](), mode, once)},
			cost{"is idle, gob, " + mode, costOf(300, qsocket.Gob[costMessage](), mode, gobOnce)},
			cost{"is idle, json, " + mode, costOf(300, qsocket.JSON[costMessage](), mode, jsonOnce)},
			cost{"has sent one message, whose handler is busy, " + mode, costOf(300, qsocket.Msgpack[costMessage](), mode+" busy", once)},
			cost{"has sent 40 messages of 100 bytes, whose handler is busy, " + mode, costOf(300, qsocket.Msgpack[costMessage](), mode+" busy", forty)},
		)
	}
	return all
}

var costProtocolName = "cost/1"

// hello returns the hello of a client with that codec.
func hello(codec, types string, desc uint64, attributes map[string]string) []byte {
	most := uint64(1 << 20)
	h := wire.Hello{Proto: costProtocolName, Codec: codec, Max: &most, Types: types, Desc: desc, Attr: attributes}
	return h.Append(nil)
}

// manyAttributes are as many, and as long, as may be.
func manyAttributes() map[string]string {
	attributes := make(map[string]string)
	for i := range wire.MaxAttributes {
		attributes[fmt.Sprintf("name %02d", i)] = strings.Repeat("x", 37)
	}
	attributes["name 00"] += strings.Repeat("x", 29)
	if err := wire.CheckAttributes(attributes); err != nil {
		panic(err)
	}
	return attributes
}

// slowAdmit takes as long as it may.
func slowAdmit(ctx context.Context, _ qsocket.Peer, _ map[string]string, _ net.Conn) error {
	<-ctx.Done()
	return ctx.Err()
}

// longHello is a hello of the greatest length, without its last byte.
func longHello() []byte {
	return append([]byte("QSK\x01\x00\x00\x10\x00"), make([]byte, 4095)...)
}

// longDescription is a hello with a description of the greatest length, without its last
// byte.
func longDescription() []byte {
	b := hello("msgpack", strings.Repeat("0", 32), wire.MaxTypes, nil)
	for left := wire.MaxTypes; left > 0; {
		n := min(left, wire.MaxControl-1)
		b = wire.AppendControl(b, wire.KindTypes, make([]byte, n))
		left -= n
	}
	return b[:len(b)-1]
}

// silent measures clients whose handshake does not get further than what they have sent.
func silent(withTLS bool, sent []byte) func(*testing.T) int {
	opts := &qsocket.Options{}
	if withTLS {
		opts.TLS = testkit.ServerTLS()
	}
	return silentWith(opts, sent)
}

func silentWith(opts *qsocket.Options, sent []byte) func(*testing.T) int {
	return func(t *testing.T) int {
		const clients = 100
		p := qsocket.Protocol[costMessage]{Name: costProtocolName}
		ln, err := qsocket.Listen("tcp", "127.0.0.1:0", p, opts)
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		before := settled(t, memoryInUse)
		for range clients {
			nc := testkit.NetDial(t, ln)
			if _, err := nc.Write(sent); err != nil {
				t.Fatal(err)
			}
		}
		testkit.Eventually(t, "the handshakes", func() bool { return ln.Stats().Handshaking == clients })
		return settled(t, func() int { return (memoryInUse() - before) / clients })
	}
}

// costOf measures clients that have said hello and sent frames, to a server whose handlers
// do what mode says.
func costOf[T any](clients int, codec qsocket.Codec[T], mode string, frames []byte) func(*testing.T) int {
	return func(t *testing.T) int {
		p := qsocket.Protocol[T]{Name: costProtocolName, Codec: codec}
		ln, err := qsocket.Listen("tcp", "127.0.0.1:0", p, &qsocket.Options{FrameTimeout: -1})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		served := testkit.Serve(ctx, ln, costHandler[T](mode))
		defer func() { cancel(); _ = testkit.Result(t, "Serve", served) }()
		var attributes map[string]string
		if mode == "All attributes" {
			attributes = manyAttributes()
		}
		before := settled(t, memoryInUse)
		for range clients {
			nc := testkit.NetDial(t, ln)
			if _, err := nc.Write(hello(codec.Name(), "", 0, attributes)); err != nil {
				t.Fatal(err)
			}
			go func() { _, _ = nc.Write(frames) }() // ends when nc is closed, or all is written
		}
		testkit.Eventually(t, "the handshakes", func() bool { return ln.Stats().Accepted == uint64(clients) })
		return settled(t, func() int { return (memoryInUse() - before) / clients })
	}
}

// costFrames returns n frames with v.
func costFrames[T any](codec qsocket.Codec[T], v T, n int) []byte {
	enc := codec.NewEncoder()
	payloads := make([][]byte, n)
	for i := range payloads {
		var err error
		if payloads[i], err = enc.Append(nil, v); err != nil {
			panic(err)
		}
	}
	return frames(payloads)
}

// frames returns the frames of payloads.
func frames(payloads [][]byte) (b []byte) {
	for _, p := range payloads {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(p))), p...)
	}
	return b
}

// partialFrame returns a frame with a payload of n bytes, without its last byte.
func partialFrame(n int) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(n)), make([]byte, n-1)...)
}

// costHandler is a handler that receives in a mode, and may then be busy.
func costHandler[T any](mode string) func(context.Context, *qsocket.Conn[T]) {
	return func(ctx context.Context, c *qsocket.Conn[T]) {
		switch mode {
		case "All", "All attributes":
			for range c.All(ctx) {
			}
		case "Messages":
			for range c.Messages() {
			}
		case "All busy":
			_, _ = c.Recv(ctx)
		case "Messages busy":
			<-c.Messages()
		case "wait":
			c.Messages()
		case "send":
			for c.Send(ctx, *new(T)) == nil {
			}
		}
		<-ctx.Done()
	}
}

// memoryInUse returns the bytes in use by the heap and by stacks.
func memoryInUse() int {
	runtime.GC()
	runtime.GC() // empties pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}

// settled measures until it has got about the same three times in a row: the clients are
// in the state that is to be measured then.
func settled(t *testing.T, measure func() int) int {
	last := 0
	for same := 0; same < 3; {
		got := measure()
		if diff := got - last; diff > last/50 || -diff > last/50 {
			same = 0
		}
		same++
		last = got
	}
	return last
}
