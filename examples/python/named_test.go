package python

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/leak"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// TestMain fails the run if goroutines of the module outlive the tests.
func TestMain(m *testing.M) { leak.Main(m) }

// A driver is a Python program that does with connections of named.py what it is told.
type driver struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Scanner
	ln  net.Listener
}

// A task is what the driver does with one connection. Times are in seconds.
type task struct {
	Port      int        `json:"port"`     // 0: that of the driver's ln
	Timeouts  [3]float64 `json:"timeouts"` // for the handshake, a frame, and the end
	Heartbeat float64    `json:"heartbeat"`
	Steps     []string   `json:"steps"`
	Session   int        `json:"session,omitempty"` // above 0: keep of a session
	Pauses    [3]float64 `json:"pauses"`            // of a session: until an ack, before an attempt at first, and at most
}

// hang is a timeout of a task that is not reached.
const hang = 120

var patient = [3]float64{hang, hang, hang}

func newDriver(t *testing.T) *driver {
	t.Helper()
	cmd := testkit.Python(t, "testdata/drive.py", ".")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ln.Close()
		in.Close()
		if err := cmd.Wait(); err != nil || stderr.Len() > 0 {
			t.Errorf("drive.py: %v\n%s", err, &stderr)
		}
	})
	return &driver{t, in, bufio.NewScanner(out), ln}
}

// start gives the driver a task and returns the connection that comes of it, and what the
// driver says in the end.
func (d *driver) start(t *testing.T, k task) (peer testkit.WirePeer, said <-chan string) {
	t.Helper()
	said = d.say(t, k)
	return d.accept(t), said
}

// accept returns the next connection of the driver's.
func (d *driver) accept(t *testing.T) testkit.WirePeer {
	t.Helper()
	_ = d.ln.(*net.TCPListener).SetDeadline(time.Now().Add(testkit.Timeout))
	nc, err := d.ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return testkit.WirePeer{T: t, Conn: nc}
}

// say gives the driver a task, and returns what it says in the end.
func (d *driver) say(t *testing.T, k task) <-chan string {
	t.Helper()
	if k.Port == 0 {
		k.Port = d.ln.Addr().(*net.TCPAddr).Port
	}
	line, err := json.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.in.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
	return testkit.Async(func() string {
		if !d.out.Scan() {
			return fmt.Sprintf("no word of drive.py: %v", d.out.Err())
		}
		var results []string
		if err := json.Unmarshal(d.out.Bytes(), &results); err != nil {
			return err.Error()
		}
		return strings.Join(results, "; ")
	})
}

// greet exchanges hellos.
func greet(peer testkit.WirePeer) {
	peer.T.Helper()
	peer.ExpectHello()
	peer.Send(testkit.GoldenHello)
}

// rest reads what the client still sends, until its end.
func rest(peer testkit.WirePeer) (sent []byte, end error) {
	_ = peer.SetReadDeadline(time.Now().Add(testkit.Timeout))
	sent, end = io.ReadAll(peer)
	return sent, end
}

// full and half are goodbyes as Python packs them.
const (
	full = testkit.GoldenFull
	half = "80000008 01 81 a4 66756c6c c2"
)

func expectSaid(t *testing.T, said <-chan string, want string) {
	t.Helper()
	if got := testkit.Result(t, "drive.py", said); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// The client takes and refuses the hellos that the library takes and refuses, and gives
// a peer that it can understand its reason.
func TestHello(t *testing.T) {
	d := newDriver(t)
	for _, test := range testkit.Hellos {
		t.Run(test.Name, func(t *testing.T) {
			peer, said := d.start(t, task{Timeouts: patient})
			peer.ExpectHello()
			if _, err := io.WriteString(peer, test.Bytes); err != nil {
				t.Fatal(err)
			}
			if test.Field == "" || strings.Contains(test.Want, "the connection ended") {
				peer.Conn.(*net.TCPConn).CloseWrite()
			} // else what has come suffices to tell
			sent, _ := rest(peer)
			peer.Close() // the client waits for that
			got := testkit.Result(t, "drive.py", said)
			if test.Field == "" {
				if got != "connected" {
					t.Errorf("got %s, want it to be taken", got)
				}
				return
			}
			if !strings.HasPrefix(got, "Refused: ") || len(got) < len("Refused: ")+20 || strings.Contains(got, "differs: ") != strings.Contains(test.Want, "differs") {
				t.Errorf("got %s, want a refusal", got)
			}
			told := bytes.HasPrefix(sent, []byte{0x80, 0}) && bytes.Contains(sent, []byte("reason"))
			silent := test.Field == "magic" || strings.Contains(test.Want, "the connection ended")
			if told == silent || silent && len(sent) > 0 {
				t.Errorf("the client sent %q", sent)
			}
		})
	}
}

// The same of what comes after the hello: a violation ends the connection with a reset.
func TestViolations(t *testing.T) {
	d := newDriver(t)
	cases := append([]testkit.WireCase{
		{Name: "the end without a goodbye", Want: "the connection ended without a goodbye"},
		{Name: "the end inside a header", Bytes: "000000", Want: "the connection ended inside a frame"},
		{Name: "the end inside a message", Bytes: "00000002 61", Want: "the connection ended inside a frame"},
		{Name: "the end inside a control frame", Bytes: "80000002 01", Want: "the connection ended inside a frame"},
		{Name: "half a goodbye after half a one, both in one", Bytes: testkit.GoldenHalf + testkit.GoldenHalf, Want: "goodbye after goodbye"},
	}, testkit.Violations...)
	for _, test := range testkit.Goodbyes {
		test.Name = "goodbye: " + test.Name
		test.Bytes = fmt.Sprintf("%08x 01 %x", 1<<31|uint32(len(test.Bytes)+1), test.Bytes)
		cases = append(cases, test)
	}
	for _, test := range cases {
		t.Run(test.Name, func(t *testing.T) {
			peer, said := d.start(t, task{Timeouts: patient, Steps: []string{"read", "close"}})
			greet(peer)
			peer.Send(test.Bytes)
			ends := strings.HasPrefix(test.Want, "the connection ended")
			if ends || test.Want == "" {
				peer.Conn.(*net.TCPConn).CloseWrite()
			}
			late := strings.Contains(test.Want, "after goodbye")
			switch sent, end := rest(peer); {
			case test.Want == "" || late: // after half a goodbye the client only reads on to close
				if !bytes.HasPrefix(sent, testkit.Unhex(testkit.GoldenConfirm)) {
					t.Errorf("the client sent % x and ended with %v, want a confirm", sent, end)
				}
			case end == nil || testkit.IsTimeout(end):
				t.Errorf("the client sent % x and ended with %v, want a reset", sent, end)
			}
			got := testkit.Result(t, "drive.py", said)
			switch {
			case test.Want == "" || late:
				if !strings.HasPrefix(got, "connected; read: []; close: ") {
					t.Errorf("got %s, want a clean end", got)
				}
			case !strings.HasPrefix(got, "connected; read: Violation: ") && !(ends && strings.HasPrefix(got, "connected; read: ConnectionError: "+test.Want)),
				!strings.HasSuffix(got, "; close: False"), len(got) < len("connected; read: Violation: ; close: False")+12:
				t.Errorf("got %s, want a violation", got)
			}
		})
	}
}

// What the client says while the two ends part, and whether it knows that its messages were taken.
func TestParting(t *testing.T) {
	d := newDriver(t)
	const a = "00000001 61"
	for _, test := range []struct {
		name  string
		steps string
		play  func(peer testkit.WirePeer)
		want  string
	}{
		{"confirm, then goodbye", "send a, close", func(peer testkit.WirePeer) {
			peer.Expect(a + full)
			peer.Send(testkit.GoldenConfirm + full)
			peer.Expect(testkit.GoldenConfirm)
			peer.ExpectEOF()
		}, "send a: None; close: True"},
		{"goodbye, then confirm", "send a, close", func(peer testkit.WirePeer) {
			peer.Expect(a + full)
			peer.Send(full)
			peer.Expect(testkit.GoldenConfirm)
			peer.ExpectEOF()
			peer.Send(testkit.GoldenConfirm)
		}, "send a: None; close: True"},
		{"goodbye, then confirm among others", "send a, close", func(peer testkit.WirePeer) {
			peer.Expect(a + full)
			peer.Send(full + testkit.GoldenHeartbeat + "80000003 ff 0102" + testkit.GoldenConfirm + testkit.GoldenHeartbeat)
			peer.Expect(testkit.GoldenConfirm)
			peer.ExpectEOF()
		}, "send a: None; close: True"},
		{"half, then confirm and full", "send a, close", func(peer testkit.WirePeer) {
			peer.Expect(a + full)
			peer.Send(testkit.GoldenHalf + testkit.GoldenConfirm + full)
			peer.Expect(testkit.GoldenConfirm)
			peer.ExpectEOF()
		}, "send a: None; close: True"},
		{"no confirm", "send a, close", func(peer testkit.WirePeer) {
			peer.Expect(a + full)
			peer.Send(full)
			peer.Expect(testkit.GoldenConfirm)
			peer.ExpectEOF()
		}, "send a: None; close: False"},
		{"gone", "send a, close", func(peer testkit.WirePeer) {
			peer.Expect(a + full)
		}, "send a: None; close: False"},
		{"confirm, and gone", "send a, close", func(peer testkit.WirePeer) {
			peer.Expect(a + full)
			peer.Send(testkit.GoldenConfirm)
		}, "send a: None; close: True"},
		{"confirm, and a violation", "send a, close", func(peer testkit.WirePeer) {
			peer.Expect(a + full)
			peer.Send(testkit.GoldenConfirm + "80000001 07")
		}, "send a: None; close: True"},
		{"a message that is discarded", "close", func(peer testkit.WirePeer) {
			peer.Expect(full)
			peer.Send(a + testkit.GoldenConfirm + full)
			peer.ExpectEOF() // and no confirm
		}, "close: True"},
		{"a message after goodbye is none", "close", func(peer testkit.WirePeer) {
			peer.Expect(full)
			peer.Send(testkit.GoldenHalf + a)
			peer.Expect(testkit.GoldenConfirm)
		}, "close: False"},
		{"a reason that comes too late", "close", func(peer testkit.WirePeer) {
			peer.Expect(full)
			peer.Send(testkit.GoldenConfirm + testkit.GoldenReason)
			peer.Expect(testkit.GoldenConfirm)
			peer.ExpectEOF()
		}, "close: True"},
		{"the peer closes", "read, send b, close", func(peer testkit.WirePeer) {
			peer.Send(a + full)
			peer.Expect(testkit.GoldenConfirm + full)
			peer.ExpectEOF()
			peer.Send(testkit.GoldenConfirm)
		}, "read: ['a']; send b: ConnectionError: sending has ended; close: True"},
		{"the peer closes with a reason", "read, close", func(peer testkit.WirePeer) {
			peer.Send(testkit.GoldenReason)
			peer.Expect(testkit.GoldenConfirm + full)
			peer.ExpectEOF()
			peer.Send(testkit.GoldenConfirm)
		}, "read: RemoteError: maintenance; close: True"},
		{"half and half", "send a, end, send b, end, read, close", func(peer testkit.WirePeer) {
			peer.Expect(a + half)
			peer.Send(testkit.GoldenConfirm + a + testkit.GoldenHalf)
			peer.Expect(testkit.GoldenConfirm)
			peer.ExpectEOF()
		}, "send a: None; end: None; send b: ConnectionError: sending has ended; end: None; read: ['a']; close: True"},
		{"half and half, and then full", "end, read, close", func(peer testkit.WirePeer) {
			peer.Expect(half)
			peer.Send(testkit.GoldenHalf + full + testkit.GoldenConfirm)
			peer.Expect(testkit.GoldenConfirm)
			peer.ExpectEOF()
		}, "end: None; read: []; close: True"},
		{"their half, and then ours", "read, send a, close", func(peer testkit.WirePeer) {
			peer.Send(testkit.GoldenHalf)
			peer.Expect(testkit.GoldenConfirm + a + full)
			peer.ExpectEOF() // all is said, with the peer's half a goodbye
			peer.Send(testkit.GoldenConfirm)
		}, "read: []; send a: None; close: True"},
	} {
		t.Run(test.name, func(t *testing.T) {
			peer, said := d.start(t, task{Timeouts: patient, Steps: strings.Split(test.steps, ", ")})
			greet(peer)
			test.play(peer)
			peer.Close()
			got := testkit.Result(t, "drive.py", said)
			if want := "connected; " + test.want; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// A peer that has closed may be gone when the answer comes.
func TestGoneAfterGoodbye(t *testing.T) {
	d := newDriver(t)
	peer, said := d.start(t, task{Timeouts: patient, Steps: []string{"read", "close"}})
	peer.ExpectHello()
	peer.Send(testkit.GoldenHello + "00000001 61" + full)
	if err := peer.Conn.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	peer.Close()
	expectSaid(t, said, "connected; read: ['a']; close: False")
}

// With a heartbeat of 0 at either end, nothing is given up at once and none is sent.
func TestNoHeartbeats(t *testing.T) {
	d := newDriver(t)
	peer, said := d.start(t, task{Timeouts: patient, Heartbeat: 0, Steps: []string{"send a", "read", "close"}})
	_, hello := readHello(t, peer)
	if want := "\xa2hb\x00"; !bytes.Contains(hello, []byte(want)) {
		t.Errorf("the hello is %q, want %q in it", hello, want)
	}
	peer.Send(strings.Replace(testkit.GoldenHello, "a2 6862 cd3a98", "a2 6862 cd0000", 1))
	peer.Expect("00000001 61")
	peer.Send("00000001 62" + full)
	peer.Expect(testkit.GoldenConfirm + full)
	peer.ExpectEOF()
	peer.Close()
	expectSaid(t, said, "connected; send a: None; read: ['b']; close: False")
}

// readHello reads a hello and returns its header and map.
func readHello(t *testing.T, peer testkit.WirePeer) (header, body []byte) {
	t.Helper()
	_ = peer.SetReadDeadline(time.Now().Add(testkit.Timeout))
	header = make([]byte, 8)
	if _, err := io.ReadFull(peer, header); err != nil {
		t.Fatal(err)
	}
	body = make([]byte, binary.BigEndian.Uint32(header[4:]))
	if _, err := io.ReadFull(peer, body); err != nil {
		t.Fatal(err)
	}
	return header, body
}

// An end that asks for as short an interval as the client does is not refused.
func TestShortHeartbeats(t *testing.T) {
	d := newDriver(t)
	peer, said := d.start(t, task{Timeouts: patient, Heartbeat: 0.05, Steps: []string{"read", "close"}})
	peer.ExpectHello()
	peer.Send(strings.Replace(testkit.GoldenHello, "a2 6862 cd3a98", "a2 6862 cd0032", 1))
	peer.Expect(testkit.GoldenHeartbeat)
	peer.Send(full)
	if got := testkit.Result(t, "drive.py", said); got != "connected; read: []; close: False" {
		if !strings.Contains(got, "the peer is silent for 0.1 s") { // this machine was slow
			t.Errorf("got %s", got)
		}
	}
}

// A peer does not keep the client from its timeouts by dribbling.
func TestTimeouts(t *testing.T) {
	d := newDriver(t)
	const short, longer = 0.3, 3
	confirmAndBeats := testkit.GoldenConfirm + strings.Repeat(testkit.GoldenHeartbeat, 10_000)
	for _, test := range []struct {
		name    string
		task    task
		hello   string
		dribble string // one byte after the other, until the client ends
		want    string
	}{
		{"a slow hello", task{Timeouts: [3]float64{short, hang, hang}}, "", testkit.GoldenHello, "Refused: no hello: it took too long; "},
		{"no hello", task{Timeouts: [3]float64{short, hang, hang}}, "", "", "Refused: no hello: it took too long; "},
		{"a slow message", task{Timeouts: [3]float64{hang, short, hang}, Steps: []string{"read"}}, testkit.GoldenHello, "00010000" + strings.Repeat("61", 0x10000), "connected; read: ConnectionError: a frame was not complete in 0.3 s"},
		{"a slow control frame", task{Timeouts: [3]float64{hang, short, hang}, Steps: []string{"read"}}, testkit.GoldenHello, "80001000 ff" + strings.Repeat("61", 0xfff), "connected; read: ConnectionError: a frame was not complete in 0.3 s"},
		{"silence", task{Timeouts: patient, Heartbeat: 0.2, Steps: []string{"read"}}, testkit.GoldenHello, "", "connected; read: ConnectionError: the peer is silent for 0.4 s"},
		{"no goodbye", task{Timeouts: [3]float64{hang, hang, short}, Steps: []string{"close"}}, testkit.GoldenHello, "", "connected; close: False"},
		{"no end of heartbeats", task{Timeouts: [3]float64{hang, hang, longer}, Steps: []string{"close"}}, testkit.GoldenHello, confirmAndBeats, "connected; close: True"},
		{"no end after goodbye", task{Timeouts: [3]float64{hang, hang, longer}, Steps: []string{"close"}}, testkit.GoldenHello, testkit.GoldenFull + confirmAndBeats, "connected; close: True"},
	} {
		t.Run(test.name, func(t *testing.T) {
			peer, said := d.start(t, test.task)
			peer.ExpectHello()
			if test.hello != "" {
				peer.Send(test.hello)
			}
			stop := make(chan struct{})
			dribbled := testkit.Async(func() bool { // ends with the client, or stop
				tick := time.NewTicker(20 * time.Millisecond)
				defer tick.Stop()
				for _, b := range testkit.Unhex(test.dribble) {
					select {
					case <-tick.C:
					case <-stop:
						return true
					}
					if _, err := peer.Write([]byte{b}); err != nil {
						return true
					}
				}
				return test.dribble == ""
			})
			got := testkit.Result(t, "drive.py", said)
			close(stop)
			if !testkit.Result(t, "the dribble", dribbled) {
				t.Error("the dribble has come to its end")
			}
			if !strings.HasPrefix(got, test.want) {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// A peer that reads nothing does not keep the client from its timeout either.
func TestPeerThatReadsNothing(t *testing.T) {
	d := newDriver(t)
	timeouts := [3]float64{hang, hang, 0.3}
	t.Run("and says nothing", func(t *testing.T) {
		peer, said := d.start(t, task{Timeouts: timeouts, Steps: []string{"fill", "close"}})
		greet(peer)
		expectSaid(t, said, "connected; fill: None; close: False")
	})
	t.Run("and says goodbye", func(t *testing.T) {
		peer, said := d.start(t, task{Timeouts: timeouts, Steps: []string{"fill", "read", "close"}})
		greet(peer)
		peer.Send(full)
		expectSaid(t, said, "connected; fill: None; read: []; close: False")
	})
}

// The client keeps to the limits that the peer has told, and no frame of it is a control
// frame by mistake.
func TestMessageTooLong(t *testing.T) {
	d := newDriver(t)
	peer, said := d.start(t, task{Timeouts: patient, Steps: []string{"send aa", "send a", "close"}})
	peer.ExpectHello()
	peer.Send(strings.Replace(testkit.GoldenHello, "a3 6d6178 ce00100000", "a3 6d6178 ce00000001", 1))
	peer.Expect("00000001 61" + full)
	peer.Send(testkit.GoldenConfirm + full)
	peer.Expect(testkit.GoldenConfirm)
	peer.Close()
	expectSaid(t, said, "connected; send aa: ValueError: message of 2 bytes, the peer takes 1; send a: None; close: True")
}

// The client and the library talk.
func TestWithLibrary(t *testing.T) {
	d := newDriver(t)
	ctx := testkit.Context(t)
	peer, said := d.start(t, task{Timeouts: patient, Heartbeat: 15, Steps: []string{"send a", "send b", "end", "read", "close"}})
	c, err := qsocket.NewConn(ctx, peer.Conn, testkit.Named, nil)
	if err != nil {
		t.Fatal(err)
	}
	testkit.Echo(ctx, c)
	if err := c.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	expectSaid(t, said, "connected; send a: None; send b: None; end: None; read: ['a', 'b']; close: True")
}
