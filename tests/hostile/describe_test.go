package hostile

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/schema"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// What a handshake with a stranger may cost: what it allocates, one after the other, with
// what its client and a good one take, and by how much the process grows if 24 come at once.
const (
	handshakeAlloc = 8<<20 + 1<<20
	crowd          = 24
	crowdGrowth    = 64 << 20
)

// greetedServer is a server of a named protocol.
type greetedServer struct {
	testkit.DescribedServer
	codec string // its name in the hello
	addr  string
	good  func() error // a client that is served
}

// greeted starts a server, and adds it to those of list.
func greeted[T any](list *[]greetedServer, name string, codec qsocket.Codec[T], good T) (end func()) {
	p := qsocket.Protocol[T]{Name: "hostile/1", Codec: codec}
	ln, err := qsocket.Listen("tcp", "127.0.0.1:0", p, nil)
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := testkit.Async(func() error {
		return ln.Serve(ctx, func(ctx context.Context, c *qsocket.Conn[T]) {
			for m := range c.Messages() {
				_ = c.Send(ctx, m) // the good client is waiting for it
			}
		})
	})
	s := greetedServer{codec: codec.Name(), addr: ln.Addr().String()}
	for _, d := range testkit.DescribedServers() {
		if d.Name == name {
			s.DescribedServer = d
		}
	}
	s.good = func() error {
		ctx, cancel := context.WithTimeout(context.Background(), testkit.Timeout)
		defer cancel()
		c, err := qsocket.Dial(ctx, "tcp", s.addr, p, nil)
		if err != nil {
			return err
		}
		defer testkit.End(c)
		err = c.Send(ctx, good)
		if err == nil {
			_, err = c.Recv(ctx)
		}
		if err == nil {
			err = c.Close()
		}
		return err
	}
	*list = append(*list, s)
	return func() { cancel(); <-served }
}

// greetedServers starts all of them.
func greetedServers() (list []greetedServer, end func()) {
	var ends []func()
	for _, codec := range []string{"msgpack", "gob", "json"} {
		ends = append(ends,
			greeted(&list, codec+" recursive", testkit.CodecNamed[testkit.Recursive](codec), testkit.Recursive{Name: "good"}),
			greeted(&list, codec+" nested", testkit.CodecNamed[testkit.Nested](codec), testkit.Nested{Same: testkit.Nested2{Name: "good"}}),
			greeted(&list, codec+" union", testkit.EitherCodec(codec), testkit.Either(testkit.Recursive{Name: "good"})),
		)
	}
	return list, func() {
		for _, end := range ends {
			end()
		}
	}
}

// describing is a hello with the description text behind it.
func (s *greetedServer) describing(text string) string {
	str := func(s string) string { return "\xda" + string(binary.BigEndian.AppendUint16(nil, uint16(len(s)))) + s }
	body := "\x85" + str("proto") + str("hostile/1") + str("codec") + str(s.codec) + str("max") + "\xce\x00\x10\x00\x00" +
		str("types") + str(schema.Fingerprint(text)) + str("desc") + "\xce" + string(binary.BigEndian.AppendUint32(nil, uint32(len(text))))
	var b strings.Builder
	b.WriteString("QSK\x01" + string(binary.BigEndian.AppendUint32(nil, uint32(len(body)))) + body)
	for len(text) > 0 {
		n := min(len(text), 4095)
		b.WriteString(string(binary.BigEndian.AppendUint32(nil, 1<<31|uint32(n+1))) + "\x80" + text[:n])
		text = text[n:]
	}
	return b.String()
}

// send is a client that sends words and hangs up when the server has had enough.
func (s *greetedServer) send(words string, dribble bool) error {
	nc, err := net.Dial("tcp", s.addr)
	if err != nil {
		return fmt.Errorf("the server is gone: %w", err)
	}
	defer nc.Close()
	step := len(words)
	if dribble {
		step = 1
	}
	for len(words) > 0 {
		n := min(step, len(words))
		if _, err := io.WriteString(nc, words[:n]); err != nil {
			break
		}
		words = words[n:]
	}
	_ = nc.(*net.TCPConn).CloseWrite()
	_, _ = io.Copy(io.Discard, nc)
	return nil
}

// greeting is what a client sends to a server before the server knows who it is.
type greeting struct {
	name    string
	server  *greetedServer
	words   string
	dribble bool
}

// greetings evaluates a corpus for all servers.
func greetings(path string, servers []greetedServer) (list []greeting, err error) {
	cases, err := testkit.ReadGenerated(path)
	if strings.Contains(path, "hellos") {
		servers = servers[:1] // they are for MessagePack
	}
	for _, c := range cases {
		for i := range servers {
			s := &servers[i]
			text, err := c.Text(map[string]string{"head": s.Head, "codec": s.Codec})
			if err != nil {
				return nil, err
			}
			if strings.Contains(path, "descriptions") {
				text = s.describing(text)
			}
			list = append(list, greeting{c.Name + ", " + s.Name, s, text, strings.HasSuffix(c.Name, "dribbled")})
		}
	}
	return list, err
}

// inChild runs f in a child process with little memory and reports what it prints: each
// line that begins with "bad" is an error.
func inChild(t *testing.T, f func()) {
	t.Helper()
	if os.Getenv(hostileChild) != "" {
		if err := limitHostile(); err != nil {
			fmt.Println("note:", err)
		}
		f()
		fmt.Println("complete")
		return
	}
	if testing.Short() {
		t.Skip("starts a process")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.timeout=5m")
	cmd.Env = append(os.Environ(), hostileChild+"=0", "GOMEMLIMIT=96MiB")
	stderr := &tail{}
	cmd.Stderr = stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	last, complete := "", false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		switch line := lines.Text(); {
		case strings.HasPrefix(line, "bad: "):
			t.Error(line)
		case strings.HasPrefix(line, "at "):
			last = line
		case line == "complete":
			complete = true
		default:
			t.Log(line)
		}
	}
	if err := cmd.Wait(); err != nil || !complete {
		t.Errorf("%s: the process died: %v\n%s", last, err, stderr)
	}
}

// greetOneByOne sends a corpus. Each greeting is answered within bounds, and a good client
// is served after it.
func greetOneByOne(path string) {
	servers, end := greetedServers()
	defer end()
	list, err := greetings(path, servers)
	if err != nil {
		panic(err)
	}
	worst, most := "", uint64(0)
	for _, g := range list {
		fmt.Println("at", g.name)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := g.server.send(g.words, g.dribble)
		if err == nil {
			err = g.server.good()
		}
		runtime.ReadMemStats(&after)
		if err != nil {
			fmt.Printf("bad: %s: the next client: %v\n", g.name, err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > most {
			worst, most = g.name, n
		}
	}
	if most > handshakeAlloc && !testkit.RaceEnabled {
		fmt.Printf("bad: %s: %d KiB allocated, want at most %d\n", worst, most>>10, handshakeAlloc>>10)
	}
	fmt.Printf("%d greetings, the dearest is %s: %d KiB\n", len(list), worst, most>>10)
}

// TestHostileDescriptions sends the corpus of descriptions to servers, one after the other.
func TestHostileDescriptions(t *testing.T) {
	inChild(t, func() { greetOneByOne("testdata/descriptions/cases.txt") })
}

// TestHostileHellos does the same with the corpus of hellos.
func TestHostileHellos(t *testing.T) {
	inChild(t, func() { greetOneByOne("testdata/hellos/cases.txt") })
}

// TestHostileCrowd sends all of both, by 24 clients at the same time.
func TestHostileCrowd(t *testing.T) {
	inChild(t, func() {
		servers, end := greetedServers()
		defer end()
		for _, s := range servers { // what each server takes for good
			if err := s.good(); err != nil {
				fmt.Println("bad:", err)
			}
		}
		list, err := greetings("testdata/descriptions/cases.txt", servers)
		if err != nil {
			panic(err)
		}
		// A third of them, so that what waits here does not make the collector lazy.
		queue := make(chan greeting, len(list))
		for i := 0; i < len(list); i += 3 {
			g := list[(i*101+i/3%3)%len(list)] // neighbours are alike
			queue <- g
		}
		n := len(queue)
		list = nil
		close(queue)
		freeHostile()
		above := watchHostile()
		var clients sync.WaitGroup
		for range crowd {
			clients.Go(func() { // ends with the queue
				for g := range queue {
					if err := g.server.send(g.words, g.dribble); err != nil {
						fmt.Printf("bad: %s: %v\n", g.name, err)
					}
				}
			})
		}
		clients.Wait()
		grown := above()
		for _, s := range servers {
			if err := s.good(); err != nil {
				fmt.Printf("bad: %s: the next client: %v\n", s.Name, err)
			}
		}
		fmt.Printf("%d greetings by %d clients: %d KiB more\n", n, crowd, grown>>10)
		if grown > crowdGrowth {
			fmt.Printf("bad: the process has grown by %d KiB, want at most %d\n", grown>>10, crowdGrowth>>10)
		}
	})
}
