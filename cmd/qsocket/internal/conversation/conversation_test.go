package conversation_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/schema"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/internal/wire"

	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/conversation"
)

const (
	client = conversation.Side(0)
	server = conversation.Side(1)
)

var now = time.Unix(1_700_000_000, 0)

// text is a description, and text2 one of a newer version.
const (
	text  = "union(msgpack)\nmessage Event\nunion Event open\n"
	plain = "msgpack\nmessage Tick\nstruct Tick\n Symbol string\n Price float64\n"
	newer = "msgpack\nmessage Tick\nstruct Tick\n Symbol string\n Price float64\n Size int\n"
)

func hello(codec, text string, change func(*wire.Hello)) []byte {
	most := uint64(1 << 20)
	h := &wire.Hello{Proto: "ticks/1", Codec: codec, Max: &most, Beat: 15000, Types: schema.Fingerprint(text), Desc: uint64(len(text)), Lines: wire.HelloLines}
	if change != nil {
		change(h)
	}
	return h.Append(nil)
}

func message(payload string) []byte {
	return append([]byte{0, 0, 0, byte(len(payload))}, payload...)
}

// said is one piece of a conversation.
type said struct {
	from conversation.Side
	b    []byte
}

// hear returns what is said, a line for each event.
func hear(opts *conversation.Options, pieces ...said) (lines []string) {
	c := conversation.New(3, opts, func(e *conversation.Event) { lines = append(lines, line(e)) })
	for _, p := range pieces {
		c.Data(p.from, p.b, now)
	}
	return lines
}

func line(e *conversation.Event) string {
	s := fmt.Sprintf("%d.%d %s %s %d %s %s %s", e.Conn, e.N, e.From, e.Type, e.Size, e.Case, e.Words(), e.Message)
	if e.Error != "" {
		s += " ! " + e.Error
	}
	return strings.Join(strings.Fields(s), " ")
}

func check(t *testing.T, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestNamed(t *testing.T) {
	told := map[string]string{}
	opts := &conversation.Options{Keep: 1 << 20, Told: func(fp, text string) { told[fp] = text }}
	ch := hello("msgpack", plain, nil)
	sh := hello("msgpack", newer, func(h *wire.Hello) {
		h.Admits = true
		h.Attr = map[string]string{"token": "secret", "zone": "a"}
		h.Expiry = 120_000
	})
	got := hear(opts,
		said{client, ch}, said{server, sh[:50]}, said{server, sh[50:]},
		said{client, wire.AppendControl(nil, wire.KindTypes, []byte(plain))},
		said{server, wire.AppendControl(nil, wire.KindTypes, []byte(newer[:20]))}, said{server, wire.AppendControl(nil, wire.KindTypes, []byte(newer[20:]))},
		said{server, wire.AdmittedFrame},
		said{client, message("\x82\xa6Symbol\xa1A\xa5Price\x02")},
		said{server, message("\x81\xa4Size\x07")},
		said{server, message("\x81\xa4Size\xa1x")},
		said{client, bytes.Join([][]byte{wire.HeartbeatFrame, wire.AskFrame, wire.AppendAck(nil, 5), wire.ConfirmFrame}, nil)},
		said{server, wire.Session{State: wire.SessionResumed, Got: 4, Why: "because"}.Frame()},
		said{server, wire.GoingAway{Reason: "restart \x1b"}.Frame()},
		said{server, wire.Goodbye{}.Frame()},
		said{client, wire.Goodbye{Full: true, Reason: "no space", Code: 1000}.Frame()},
		said{client, wire.AppendControl(nil, 0x99, []byte("x"))},
		said{client, wire.AppendControl(nil, 0x33, nil)},
		said{client, wire.AppendControl(nil, wire.KindHeartbeat, []byte("x"))},
		said{client, wire.AppendControl(nil, wire.KindGoodbye, []byte("x"))},
		said{client, wire.AppendControl(nil, wire.KindTypes, []byte("x"))},
	)
	fp, fp2 := schema.Fingerprint(plain), schema.Fingerprint(newer)
	if len(told) != 2 || told[fp] != plain || told[fp2] != newer {
		t.Errorf("told %v", told)
	}
	check(t, got,
		fmt.Sprintf("3.1 client hello %d ticks/1, codec msgpack, takes up to 1048576 bytes, heartbeat 15s, types %s", len(ch), fp),
		fmt.Sprintf(`3.2 server hello %d ticks/1, codec msgpack, takes up to 1048576 bytes, heartbeat 15s, types %s, decides whom it lets in, attributes ["token" "zone"], has sessions, which wait 2m0s`, len(sh), fp2),
		fmt.Sprintf("3.3 client description %d of the message types", 5+len(plain)),
		"3.4 server description 25 a part of it",
		fmt.Sprintf("3.5 server description %d of the message types", 5+len(newer)-20),
		"3.6 server admitted 5 the peer is let in",
		`3.7 client message 21 {"Symbol":"A","Price":2.0}`,
		`3.8 server message 11 {"Size":7}`,
		`3.9 server message 12 {"Size":"x"} ! Tick.Size: fixstr where int is expected`,
		"3.10 client heartbeat 5 is alive",
		"3.11 client ask 5 wants an ack",
		"3.12 client ack 13 its program has taken 5 messages of the session",
		"3.13 client confirm 5 has taken every message before the goodbye",
		`3.14 server session 27 resumed, 4 messages had, because "because"`,
		`3.15 server going away 23 will end the connection before long, because "restart \x1b"`,
		"3.16 server goodbye 6 half: sends no more messages",
		`3.17 client goodbye 36 full: sends and reads no more messages, code 1000, because "no space"`,
		"3.18 client control 99 6",
		"3.19 client control 33 5 ! a kind that is reserved",
		"3.20 client heartbeat 6 is alive ! a body of 1 bytes, want none",
		`3.21 client goodbye 6 ! qsocket: protocol violation: goodbye: qsocket: decode msgpack: positive fixint where a map is expected`,
		"3.22 client description 6 a part of it ! a part of no description that was announced",
	)
}

// Where the ends are of one version they tell no description: someone else may know it.
func TestKnownTypes(t *testing.T) {
	union := "union(msgpack) open\nmessage Event\nunion Event\n 1 msgpack Placed\n 2 gob Note\nstruct Placed\n ID int\nstruct Note\n"
	union = strings.Replace(union, "union(msgpack)", "union(msgpack,gob)", 1)
	if _, err := schema.Parse(union); err != nil {
		t.Fatal(err)
	}
	asked := 0
	opts := &conversation.Options{Keep: 100, Types: func(fp string) string {
		asked++
		if fp == schema.Fingerprint(union) {
			return union
		}
		return ""
	}}
	codec := "union(msgpack,gob)"
	got := hear(opts, said{client, hello(codec, union, nil)}, said{server, hello(codec, union, nil)},
		said{client, message("\x01\x81\xa2ID\x05")}, said{client, message("\x02xyz")}, said{server, message("\x09\x01")},
		said{server, append([]byte{0, 0, 0, 101}, make([]byte, 101)...)}, said{server, message("")})[2:]
	check(t, got,
		`3.3 client message 10 Placed {"case":"Placed","value":{"ID":5}}`,
		`3.4 client message 8 Note {"case":"Note","$raw":"eHl6"}`,
		`3.5 server message 6 9 {"case":9,"$raw":"AQ=="}`,
		`3.6 server message 105 ! too large to be shown: 101 bytes`,
		`3.7 server message 4 {"$raw":""} ! want the tag of a case, a varint in its shortest form, got`,
	)
	if asked > 4 {
		t.Errorf("asked %d times", asked)
	}
	// Gob is not decoded: its size is what there is.
	got = hear(&conversation.Options{Keep: 100}, said{client, hello("gob", "", nil)}, said{client, message("xyz")})[1:]
	check(t, got, "3.2 client message 7")
	// A client without types speaks as its server does.
	got = hear(&conversation.Options{Keep: 100, Types: func(string) string { return plain }}, said{server, hello("msgpack", plain, nil)}, said{client, hello("msgpack", "", nil)}, said{client, message("\x81\xa5Price\x01")})[2:]
	check(t, got, `3.3 client message 12 {"Price":1.0}`)
}

func TestRaw(t *testing.T) {
	got := hear(&conversation.Options{Raw: true, Codec: "json", Framing: wire.Netstring, Keep: 100},
		said{client, []byte("7:{\"a\":1}")}, said{client, []byte(",1:x,")}, said{server, []byte("zzz")}, said{server, []byte("zz")})
	check(t, got,
		`3.1 client message 10 {"a":1}`,
		`3.2 client message 4 {"$raw":"eA=="} ! json: invalid character 'x' looking for beginning of value`,
		`3.0 server note 0 ! this direction is not decoded from here: qsocket: protocol violation: Netstring length has 'z' at offset 0, want a digit`,
		`3.0 server bytes 3 not decoded`,
		`3.0 server bytes 2 not decoded`,
	)
}

// What is no hello is told once for each direction.
func TestStrangers(t *testing.T) {
	got := hear(&conversation.Options{Keep: 100}, said{client, []byte("GET / HTTP/1.1\r\n\r\n")}, said{client, []byte("more")}, said{server, []byte("HTTP/1.1 200 OK")})
	check(t, got,
		`3.0 client note 0 ! this direction is not decoded from here: no hello of qsocket: peer speaks HTTP: it sent "GET / HT"`,
		"3.0 client bytes 18 not decoded",
		"3.0 client bytes 4 not decoded",
		`3.0 server note 0 ! this direction is not decoded from here: no hello of qsocket: peer speaks HTTP: it sent "HTTP/1.1"`,
		"3.0 server bytes 15 not decoded",
	)
}

func TestEnds(t *testing.T) {
	var got []string
	c := conversation.New(3, &conversation.Options{Keep: 100}, func(e *conversation.Event) { got = append(got, line(e)) })
	c.Say(&conversation.Event{Type: "open", Time: now})
	c.Data(client, append(hello("msgpack", "", nil), 0, 0, 0, 5, 'x'), now)
	c.Skip(client, 100, 2, true, now)
	c.Data(client, message("\x01"), now)
	c.Data(client, []byte{0}, now)
	c.End(client, nil, now)
	c.End(server, errors.New("reset \x1b"), now)
	check(t, append(got[:1], got[2:]...),
		"3.0 open 0",
		"3.0 client skipped 100 100 bytes with the ends of 2 frames ! they came faster than they could be shown",
		"3.4 client message 5 1",
		"3.0 client end 0 sends nothing any longer (FIN) ! inside of a frame",
		`3.0 server broken 0 ! reset \x1b`,
	)
}

// seeds are streams from strangers: the corpus of hostile hellos among them.
func seeds(t testing.TB) (streams [][]byte) {
	t.Helper()
	f, err := os.Open("../../../../tests/hostile/testdata/msgpack/corpus.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	good := hello("msgpack", plain, nil)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		cols := strings.Split(lines.Text(), "|")
		if len(cols) != 4 || strings.HasPrefix(cols[0], "#") {
			continue
		}
		payload, err := testkit.RepeatedHex(cols[2])
		if err != nil {
			t.Fatal(err)
		}
		if len(payload) < 4000 {
			streams = append(streams, append(append([]byte(nil), good...), append([]byte{0, 0, byte(len(payload) >> 8), byte(len(payload))}, payload...)...))
			streams = append(streams, append(append([]byte(nil), good...), wire.AppendControl(nil, wire.KindGoodbye, payload)...))
			streams = append(streams, append([]byte("QSK\x01\x00\x00"), append([]byte{byte(len(payload) >> 8), byte(len(payload))}, payload...)...))
		}
	}
	return append(streams, []byte("GET /"), []byte("\x16\x03\x01"), append(good, wire.AppendControl(nil, wire.KindTypes, []byte(plain))...))
}

func FuzzConversation(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s, s)
	}
	f.Add([]byte(text), []byte(newer))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		total := [2]uint64{}
		for _, raw := range []bool{false, true} {
			opts := &conversation.Options{Raw: raw, Codec: "msgpack", Keep: 4096, Types: func(string) string { return plain }}
			c := conversation.New(1, opts, func(e *conversation.Event) {
				if fault := testkit.TextFault(e.Words()+e.Error, 1<<14); fault != "" {
					t.Errorf("%s: %s", e.Type, fault)
				}
				if e.Message != nil && !json.Valid(e.Message) {
					t.Errorf("%q is not JSON", e.Message)
				}
				total[map[string]int{"client": 0, "server": 1}[e.From]] += e.Size
			})
			for i, stream := range [][]byte{a, b} {
				total[i] = 0
				for n := 0; n < len(stream); n += 7 {
					c.Data(conversation.Side(i), stream[n:min(n+7, len(stream))], now)
				}
				if total[i] > uint64(len(stream)) {
					t.Errorf("%d bytes in a stream of %d", total[i], len(stream))
				}
			}
		}
	})
}
