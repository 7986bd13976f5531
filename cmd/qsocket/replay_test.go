package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/wire"

	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/recording"
)

// recordDeals records a conversation with a server that fills, and returns the file.
func recordDeals(t testing.TB, conns int) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "deals.rec")
	s := serve(t, deals, nil, filling)
	tap := tapTo(t, s.url, "--record", file)
	for range conns {
		dealThrough(t, tap.addr)
	}
	tap.stop()
	tap.ended(t).want(t, exitWell)
	return file
}

// summary is the last line that replay has printed with --json.
func (o outcome) summary(t testing.TB) (r replayResult, differences []difference) {
	t.Helper()
	for line := range strings.Lines(o.out) {
		var d difference
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if d.Type != "summary" {
			differences = append(differences, d)
		} else if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
	}
	if r.Type != "summary" {
		t.Fatalf("no summary in %s%s", o.out, o.err)
	}
	return r, differences
}

func TestReplay(t *testing.T) {
	file := recordDeals(t, 3)
	s := serve(t, deals, nil, filling)
	for _, test := range []struct {
		args        []string
		conns, sent int
	}{
		{nil, 3, 6},
		{[]string{"--speed", "100"}, 3, 6},
		{[]string{"--speed", "0", "--loop", "2"}, 3, 12},
		{[]string{"--conn", "2"}, 1, 2},
		{[]string{"--conn", "2", "--conn", "3", "--speed", "0"}, 2, 4},
	} {
		got := runs(t, append([]string{"replay", "--json", "--to", s.url, file}, test.args...)...)
		got.want(t, exitWell)
		r, differences := got.summary(t)
		if r.Connections != test.conns || r.Sent != test.sent || r.Answers != test.sent || len(differences) > 0 {
			t.Errorf("%q: got %+v, %v, want %d connections and %d messages", test.args, r, differences, test.conns, test.sent)
		}
		if fast := strings.Contains(fmt.Sprint(test.args), "speed 0"); fast != (r.Late == nil) {
			t.Errorf("%q: got the times %v", test.args, r.Late)
		}
	}
	runsBuilt(t, "", "replay", file, "--to", s.url).want(t, exitWell, "connections  3\nsent         6\nanswers      6, of which 0 differ; 0 missing, 0 not expected\nlate by      p50 ")
}

// A server that answers otherwise.
func TestReplayFindsDifferences(t *testing.T) {
	file := recordDeals(t, 1)
	answering := func(answers ...deal) string {
		return serve(t, deals, nil, func(ctx context.Context, c *qsocket.Conn[deal]) {
			for range 2 {
				if _, err := c.Recv(ctx); err != nil {
					return
				}
			}
			for _, m := range answers {
				if c.Send(ctx, m) != nil {
					return
				}
			}
		}).url
	}
	other := answering(refund{ID: 0, Note: []byte{1}}, refund{ID: 1, Note: []byte{2}})
	runs(t, "replay", file, "--to", other).want(t, exitFound, `connection 1, answer 2 differs:
  {"case":"refund","value":{"ID":1,"Note":"AQ=="}}
  {"case":"refund","value":{"ID":1,"Note":"Ag=="}}
`, "of which 1 differ; 0 missing, 0 not expected")
	runs(t, "replay", file, "--to", other, "--ignore", "Note").want(t, exitWell)
	runs(t, "replay", file, "--to", other, "--ignore", "Other").want(t, exitFound, "1 differ")

	fewer := answering(refund{ID: 0, Note: []byte{1}})
	got := runs(t, "replay", "--json", file, "--to", fewer)
	got.want(t, exitFound)
	if r, d := got.summary(t); r.Missing != 1 || len(d) != 1 || d[0].Type != "missing" || d[0].Message != 2 || string(d[0].Recorded) != `{"case":"refund","value":{"ID":1,"Note":"AQ=="}}` {
		t.Errorf("got %+v, %v", r, d)
	}
	more := answering(refund{ID: 0, Note: []byte{1}}, refund{ID: 1, Note: []byte{1}}, refund{ID: 7})
	runs(t, "replay", file, "--to", more).want(t, exitFound, "connection 1, answer 3 was not expected:\n  {\"case\":\"refund\",\"value\":{\"ID\":7,\"Note\":null}}")

	refusing := serve(t, deals, nil, func(_ context.Context, c *qsocket.Conn[deal]) { _ = c.CloseWithReason("not today") })
	runs(t, "replay", file, "--to", refusing.url).want(t, exitFound, "not today")
	codec := serve(t, ticks, nil, echoing[map[string]any])
	runs(t, "replay", file, "--to", codec.url).want(t, exitFound, `the server's codec is "msgpack", and the recording's is "union(msgpack)"`)
}

// The messages of the other side can be sent, too.
func TestReplayServerSide(t *testing.T) {
	file := recordDeals(t, 1)
	got := make(chan deal, 4)
	s := serve(t, deals, nil, func(ctx context.Context, c *qsocket.Conn[deal]) {
		for m, err := range c.All(ctx) {
			if err != nil {
				return
			}
			got <- m
		}
	})
	runs(t, "replay", file, "--to", s.url, "--side", "server").want(t, exitFound, "2 missing")
	if m := <-got; m.(refund).ID != 0 {
		t.Errorf("got %+v", m)
	}
}

// A session is replayed over a plain connection, and a stream in raw mode as it was.
func TestReplayKinds(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	dir := t.TempDir()
	sessions := serve(t, ticks, &qsocket.Options{MaxSessions: 4}, nil)
	file := filepath.Join(dir, "session.rec")
	tap := tapTo(t, sessions.url, "--once", "--record", file)
	session, err := qsocket.DialSession(ctx, "tcp", strings.TrimPrefix(tap.addr, "tcp://"), ticks, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Send(ctx, map[string]any{"a": 1}); err != nil {
		t.Fatal(err)
	}
	if err := session.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	tap.ended(t).want(t, exitWell)
	runs(t, "replay", file, "--to", sessions.url).want(t, exitWell, "sent         1")

	raw := qsocket.Protocol[any]{Codec: qsocket.JSON[any](), Framing: qsocket.Netstring}
	s := serve(t, raw, nil, echoing[any])
	file = filepath.Join(dir, "raw.rec")
	tap = tapTo(t, s.url, "--once", "--record", file, "--codec", "json", "--framing", "netstring")
	c := dialTap(t, tap.addr, raw, nil)
	for i := range 5 {
		if err := c.Send(ctx, i); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Recv(ctx); err != nil {
			t.Fatal(err)
		}
	}
	_ = c.CloseWrite()
	for range c.Messages() {
	}
	tap.ended(t).want(t, exitWell)
	runs(t, "replay", file, "--to", s.url).want(t, exitWell, "answers      5, of which 0 differ")
}

func TestReplayRefuses(t *testing.T) {
	file := recordDeals(t, 1)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	s := serve(t, deals, nil, filling)
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{file, "--conn", "7"}, "no connection 7 in the recording, which has 1"},
		{[]string{file, "--speed=-1"}, "--speed -1"},
		{[]string{file, "--loop", "0"}, "--loop 0"},
		{[]string{dir + "/none"}, "no such file"},
		{[]string{write("text", []byte("not a recording"))}, "no recording"},
		{[]string{write("short", whole[:len("qsocket recording 1\n")])}, "ends inside of an entry"},
		{[]string{write("info", whole[:len("qsocket recording 1\n")+18+4+len(`{"to":"`+s.url+`"}`)])}, "no connection is in it"},
	} {
		runs(t, append([]string{"replay", "--to", s.url}, test.args...)...).want(t, exitUsage, test.want)
	}
	// What was not cut off is replayed.
	got := runs(t, "replay", "--to", s.url, "--timeout", "500ms", write("cut", whole[:len(whole)-30]))
	if got.code == exitUsage || !strings.Contains(got.err, "ends inside of an entry") || !strings.Contains(got.out, "sent         2") {
		t.Errorf("got %+v", got)
	}

	http := write("http", nil)
	f, err := os.Create(http)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := recording.NewWriter(f, recording.About{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []recording.Entry{{Kind: recording.Open, Conn: 1}, {Kind: recording.Data, Conn: 1, Data: []byte("GET /\x1b[31m")}, {Kind: recording.Data, Conn: 2, Data: []byte("of no connection")}} {
		if err := w.Write(&e); err != nil {
			t.Fatal(err)
		}
	}
	runs(t, "replay", http, "--to", s.url).want(t, exitUsage, "connection 1: the client's side is not decoded, so it cannot be sent again", "peer speaks HTTP")
}

// A server that neither answers nor ends is given up.
func TestReplayTimeout(t *testing.T) {
	file := recordDeals(t, 1)
	addr := hostile(t, func(nc net.Conn) { _, _ = nc.Write(helloOf(deals.Name, "union(msgpack)")) })
	runs(t, "replay", file, "--to", addr, "--timeout", "300ms").want(t, exitFound, "2 missing")
}

// The pace is that of the recording: BenchmarkReplay measures how exact it is.
func BenchmarkReplay(b *testing.B) {
	file := filepath.Join(b.TempDir(), "pace.rec")
	f, err := os.Create(file)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	began := time.Now()
	w, err := recording.NewWriter(f, recording.About{}, began)
	if err != nil {
		b.Fatal(err)
	}
	put := func(kind recording.Kind, after time.Duration, data []byte) {
		if err := w.Write(&recording.Entry{Kind: kind, Conn: 1, Time: began.Add(after), Data: data}); err != nil {
			b.Fatal(err)
		}
	}
	put(recording.Open, 0, nil)
	put(recording.Data, 0, helloOf(ticks.Name, "msgpack"))
	const every = 2 * time.Millisecond
	for i := range b.N {
		put(recording.Data, 20*time.Millisecond+time.Duration(i)*every, []byte{0, 0, 0, 1, 0x80})
	}
	put(recording.Data, 20*time.Millisecond+time.Duration(b.N)*every, wire.Goodbye{}.Frame())
	s := serve(b, ticks, nil, func(ctx context.Context, c *qsocket.Conn[map[string]any]) {
		for range c.All(ctx) {
		}
	})
	b.ResetTimer()
	r, _ := runs(b, "replay", "--json", file, "--to", s.url).summary(b)
	if r.Sent != b.N {
		b.Fatalf("%d messages were sent, want %d", r.Sent, b.N)
	}
	b.ReportMetric(1000*r.Late.P50, "p50-late-µs")
	b.ReportMetric(1000*r.Late.P99, "p99-late-µs")
	b.ReportMetric(1000*r.Late.Max, "max-late-µs")
}
