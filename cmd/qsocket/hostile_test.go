package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/schema"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/internal/wire"

	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/recording"
)

// corpora are in tests/hostile, for the servers of the library: here they are for what looks at
// servers.
const corpora = "../../tests/hostile/testdata/"

// stream is what a hostile end sends.
type stream struct {
	name  string
	bytes []byte
}

var madeStreams []stream

// hostileStreams are hellos, descriptions, payloads and control frames.
func hostileStreams(t testing.TB) (list []stream) {
	t.Helper()
	if madeStreams != nil {
		return madeStreams
	}
	defer func() { madeStreams = list }()
	good := helloOf("hostile/1", "msgpack")
	hellos, err := testkit.ReadGenerated(corpora + "hellos/cases.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range hellos {
		text, err := c.Text(nil)
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		list = append(list, stream{"hello: " + c.Name, []byte(text)})
	}
	descriptions, err := testkit.ReadGenerated(corpora + "descriptions/cases.txt")
	if err != nil {
		t.Fatal(err)
	}
	most := uint64(1 << 20)
	for _, c := range descriptions {
		text, err := c.Text(map[string]string{"codec": "'msgpack'", "head": "'msgpack\\nmessage A\\n'"})
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		h := &wire.Hello{Proto: "hostile/1", Codec: "msgpack", Max: &most, Types: schema.Fingerprint(text), Desc: uint64(min(len(text), wire.MaxTypes))}
		b := h.Append(nil)
		for rest := []byte(text); len(rest) > 0; {
			n := min(len(rest), wire.MaxControl-1)
			b = wire.AppendControl(b, wire.KindTypes, rest[:n])
			rest = rest[n:]
		}
		list = append(list, stream{"description: " + c.Name, append(b, 0, 0, 0, 3, 0x81, 0xa0, 0x01)})
	}
	f, err := os.Open(corpora + "msgpack/corpus.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		cols := strings.Split(lines.Text(), "|")
		if len(cols) != 4 || strings.HasPrefix(cols[0], "#") {
			continue
		}
		payload, err := testkit.RepeatedHex(cols[2])
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSpace(cols[0])
		list = append(list, stream{"payload: " + name, framed(good, payload)})
		if len(payload) < wire.MaxControl {
			for _, kind := range []byte{wire.KindGoodbye, wire.KindGoingAway, wire.KindSession, wire.KindTypes, 0x99} {
				list = append(list, stream{fmt.Sprintf("control %02x: %s", kind, name), wire.AppendControl(bytes.Clone(good), kind, payload)})
			}
		}
	}
	for _, text := range testkit.HostileTexts {
		short := text[:min(len(text), 1000)]
		list = append(list, stream{"text", []byte(text)}, stream{"text in a frame", framed(good, []byte(short))},
			stream{"reason", append(bytes.Clone(good), wire.Goodbye{Reason: short, Full: true}.Frame()...)},
			stream{"name", helloOf(strings.ToValidUTF8(short, "?"), "msgpack")}, stream{"value", framed(good, msgpackOf(short))})
	}
	for _, size := range []uint32{0, 1 << 20, 1<<31 - 1, 1 << 31, 1<<31 + 5000, 1<<32 - 1} {
		b := append(bytes.Clone(good), byte(size>>24), byte(size>>16), byte(size>>8), byte(size))
		list = append(list, stream{fmt.Sprint("a frame of ", size), append(b, "cut"...)})
	}
	return list
}

func framed(hello, payload []byte) []byte {
	n := len(payload)
	return append(append(bytes.Clone(hello), byte(n>>24), byte(n>>16), byte(n>>8), byte(n)), payload...)
}

// msgpackOf is a text as MessagePack, whether it is UTF-8 or not.
func msgpackOf(s string) []byte {
	return append([]byte{0xda, byte(len(s) >> 8), byte(len(s))}, s...)
}

// checkPrinted fails if what was printed is not printable, or too long for what it is about.
func checkPrinted(t *testing.T, what, printed string, most int) {
	t.Helper()
	if fault := testkit.TextFault(strings.ReplaceAll(printed, "\n", ""), most); fault != "" {
		t.Errorf("%s: printed %.200s", what, fault)
	}
}

// Hostile servers, to cat. It ends with each, and prints nothing that a terminal would act upon.
func TestHostileServers(t *testing.T) {
	if testing.Short() {
		t.Skip("hundreds of servers")
	}
	streams := hostileStreams(t)
	var now []byte
	addr := hostile(t, func(nc net.Conn) { _, _ = nc.Write(now); _ = nc.(*net.TCPConn).CloseWrite() })
	for _, s := range streams {
		now = s.bytes
		begun := time.Now()
		o := runs(t, "cat", "--timeout", "1s", "-x", "1", addr)
		if took := time.Since(begun); took > patience/2 {
			t.Errorf("%s: took %v", s.name, took)
		}
		checkPrinted(t, s.name, o.out, 64*len(s.bytes)+64<<10)
		checkPrinted(t, s.name, o.err, 4*maxComplaint)
		if o.code == exitWell && !strings.Contains(s.name, "goodbye") && !strings.Contains(s.name, "control") && s.name != "reason" {
			t.Errorf("%s: all is well?\n%s%s", s.name, o.out, o.err)
		}
	}
	t.Logf("%d servers", len(streams))
}

// Hostile clients, through tap, as text and as JSON: each is passed on to the byte, and none is the end
// of the tap.
func TestHostileClients(t *testing.T) {
	if testing.Short() {
		t.Skip("hundreds of clients")
	}
	got := make(chan []byte, 1)
	nl := listenLoopback(t)
	go func() { // ends with nl
		for {
			nc, err := nl.Accept()
			if err != nil {
				return
			}
			b, _ := io.ReadAll(nc)
			got <- b
			_, _ = nc.Write(b[:min(len(b), 4096)]) // the other direction is hostile as well
			nc.Close()
		}
	}()
	for i, args := range [][]string{{"--no-ask"}, {"--no-ask", "--json"}, {"--codec", "msgpack"}, {"--codec", "json", "--framing", "Uvarint", "--json"}} {
		tap := tapTo(t, nl.Addr().String(), args...)
		total := 0
		for _, s := range hostileStreams(t) {
			if i > 0 && len(s.bytes) > 1<<20 { // the large ones once
				continue
			}
			nc, err := net.Dial("tcp", strings.TrimPrefix(tap.addr, "tcp://"))
			if err != nil {
				t.Fatalf("%s: the tap is gone: %v", s.name, err)
			}
			if _, err := nc.Write(s.bytes); err != nil {
				t.Errorf("%s: %v", s.name, err)
			}
			_ = nc.(*net.TCPConn).CloseWrite()
			if b := <-got; !bytes.Equal(b, s.bytes) {
				t.Errorf("%s: %d bytes arrived, want %d", s.name, len(b), len(s.bytes))
			}
			_, _ = io.Copy(io.Discard, nc)
			nc.Close()
			total += len(s.bytes)
		}
		tap.stop()
		o := tap.ended(t)
		o.want(t, exitWell)
		checkPrinted(t, fmt.Sprint(args), o.out, 64*total+1<<20)
		checkPrinted(t, fmt.Sprint(args), o.err, 1<<20)
		if args[len(args)-1] == "--json" {
			o.events(t)
		}
	}
}

// Hostile recordings, to replay: of what a hostile client sends, and of what a hostile file has.
func TestHostileRecordings(t *testing.T) {
	if testing.Short() {
		t.Skip("hundreds of recordings")
	}
	dir := t.TempDir()
	s := serve(t, ticks, nil, echoing[map[string]any])
	path := filepath.Join(dir, "hostile.rec")
	replayed := func(name string, b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		o := runs(t, "replay", path, "--to", s.url, "--timeout", "50ms", "--speed", "0")
		checkPrinted(t, name, o.out, 64*len(b)+64<<10)
		checkPrinted(t, name, o.err, 4*maxComplaint)
	}
	var whole []byte
	for i, st := range hostileStreams(t) {
		var b bytes.Buffer
		w, err := recording.NewWriter(&b, recording.About{To: "tcp://x:1"}, time.Unix(0, 0))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range []recording.Entry{
			{Kind: recording.Open, Conn: 1}, {Kind: recording.Data, Conn: 1, From: recording.Side(i % 2), Data: st.bytes},
			{Kind: recording.End, Conn: 1, Data: []byte(testkit.HostileTexts[i%len(testkit.HostileTexts)])}, {Kind: recording.Open, Conn: 1 << 31},
		} {
			if e.Time = time.Unix(0, int64(i)<<40); i%3 == 0 { // or far from each other
				e.Time = time.Unix(0, 0)
			}
			if err := w.Write(&e); err != nil {
				t.Fatal(err)
			}
		}
		replayed(st.name, b.Bytes())
		if i == 0 {
			whole = b.Bytes()
		}
	}
	for n := 0; n < len(whole); n += 3 {
		changed := bytes.Clone(whole)
		changed[n] ^= 0xff
		replayed(fmt.Sprint("changed at ", n), changed)
	}
}

// What a server announces and does not send costs next to nothing, and what it sends a multiple
// of that.
func TestHostileMemory(t *testing.T) {
	if testkit.RaceEnabled {
		t.Skip("measures memory")
	}
	good := helloOf("hostile/1", "msgpack")
	nested := framed(good, append([]byte{0xdd, 0, 0x10, 0, 0}, bytes.Repeat([]byte{0x90}, 1<<20)...)) // a million empty arrays
	var now []byte
	addr := hostile(t, func(nc net.Conn) { _, _ = nc.Write(now); _ = nc.(*net.TCPConn).CloseWrite() })
	for _, s := range []stream{{"announced", append(bytes.Clone(good), 0x0f, 0xff, 0xff, 0xff)}, {"a million arrays", nested}} {
		now = s.bytes
		n := testkit.Allocated(func() { runs(t, "cat", "--timeout", "1s", addr, "-x", "1") })
		if most := uint64(100*len(s.bytes) + 16<<20); n > most {
			t.Errorf("%s: %d KiB allocated, want at most %d", s.name, n>>10, most>>10)
		}
	}
}
