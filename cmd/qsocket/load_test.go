package main

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/examples/echo"
	orders "github.com/fb9bb4ed/qsocket/examples/orders/market"

	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/recording"
)

// loads runs a load and returns what it has found.
func loads(t *testing.T, code int, in string, args ...string) loadResult {
	t.Helper()
	o := runsWith(t, in, append([]string{"load", "--json"}, args...)...)
	var r loadResult
	if err := json.Unmarshal([]byte(o.out), &r); err != nil || o.code != code {
		t.Fatalf("got code %d, %v, want %d\n%s%s", o.code, err, code, o.out, o.err)
	}
	return r
}

// All messages of the open model are sent in the order of the file, over all connections in turn, and answered.
func TestLoadOpen(t *testing.T) {
	var received atomic.Int64
	wrong := make(chan string, 1)
	s := serve(t, echo.Protocol, nil, func(ctx context.Context, c *qsocket.Conn[string]) {
		first, err := c.Recv(ctx)
		last, _ := strconv.Atoi(first)
		for m := first; err == nil; m, err = c.Recv(ctx) {
			if n, _ := strconv.Atoi(m); n != last {
				select {
				case wrong <- m:
				default:
				}
			}
			last = (last + 3) % 7
			received.Add(1)
			if c.Send(ctx, m) != nil {
				return
			}
		}
	})
	r := loads(t, 0, "\"0\"\n\"1\"\n\n\"2\"\n\"3\"\n\"4\"\n\"5\"\n\"6\"\n", "--rate", "5000", "--for", "500ms", "--conns", "3", s.url)
	if r.Sent != 2500 || r.Answered != 2500 || received.Load() != 2500 || r.Unanswered != 0 || r.Model != "open" || r.Protocol != "echo/1" {
		t.Errorf("got %+v, and %d received", r, received.Load())
	}
	if l := r.Latency; l["p50"] <= 0 || l["p99"] < l["p50"] || l["p9999"] < l["p999"] || l["max"] < l["p9999"] || r.Late["max"] > l["max"] {
		t.Errorf("got latencies %v, late %v", l, r.Late)
	}
	sum := 0.0
	before := 0.0
	for _, i := range r.Intervals {
		sum += i.Sent * (i.At - before)
		before = i.At
	}
	if len(r.Intervals) < 2 || sum < 1500 || sum > 2501 {
		t.Errorf("got intervals %+v of %v messages", r.Intervals, sum)
	}
	select {
	case m := <-wrong:
		t.Errorf("%q came at another's place", m)
	default:
	}
}

// A server that stands still for a while makes all those wait that are due meanwhile, and the open model counts it. In
// the closed one it is one slow message for each that is under way.
func TestLoadCountsWaiting(t *testing.T) {
	const still = 300 * time.Millisecond
	stalling := func(ctx context.Context, c *qsocket.Conn[string]) {
		n := 0
		for m, err := range c.All(ctx) {
			if n++; n == 100 {
				time.Sleep(still) // what is tested
			}
			if err != nil || c.Send(ctx, m) != nil {
				return
			}
		}
	}
	s := serve(t, echo.Protocol, nil, stalling)
	r := loads(t, 0, `"x"`, "--rate", "1000", "--for", "1s", s.url)
	if r.Sent != 1000 || r.Latency["p90"] < 100 || r.Latency["max"] < 250 { // 300 of 1,000 wait for 150 ms on average
		t.Errorf("open: got %+v", r)
	}
	s = serve(t, echo.Protocol, nil, stalling)
	r = loads(t, 0, `"x"`, "--closed", "1", "--for", "1s", s.url)
	if r.Sent < 200 || r.Answered != r.Sent || r.Latency["max"] < 250 || r.Latency["p90"] >= r.Latency["max"] {
		t.Errorf("closed: got %+v", r)
	}
}

// A server that does not keep up is not taken for one that does.
func TestLoadTooMuch(t *testing.T) {
	slow := func(ctx context.Context, c *qsocket.Conn[string]) {
		for m, err := range c.All(ctx) {
			time.Sleep(2 * time.Millisecond) // a rate, not a wait
			if err != nil || c.Send(ctx, m) != nil {
				return
			}
		}
	}
	s := serve(t, echo.Protocol, nil, slow)
	path := filepath.Join(t.TempDir(), "long.jsonl")
	if err := os.WriteFile(path, []byte(`"`+strings.Repeat("x", 50_000)+`"`), 0o600); err != nil {
		t.Fatal(err)
	}
	o := runs(t, "load", "--rate", "10000", "--for", "500ms", "--timeout", "100ms", s.url, path)
	o.want(t, 1, "of the rate that was asked for: the server does not take more", "no room", "messages were not answered within 100ms")
}

func TestLoadClosed(t *testing.T) {
	s := serve(t, orders.Protocol, nil, gateway)
	html, hdr := filepath.Join(t.TempDir(), "x.html"), filepath.Join(t.TempDir(), "x.hdr")
	path := filepath.Join(t.TempDir(), "orders.jsonl")
	if err := os.WriteFile(path, []byte(documentFiles(t)["orders.jsonl"]), 0o600); err != nil {
		t.Fatal(err)
	}
	o := runsBuilt(t, "", "load", "--closed", "5", "--answers", "2", "--for", "300ms", "--conns", "2", "--html", html, "--hdr", hdr, s.url, path)
	o.want(t, 0, "orders/1, union(msgpack) over 2 connections: closed model, 5 at a time on each", "\nlatency, from sending a message to its answer", "\n  p99.99 ")
	page, err := os.ReadFile(html)
	if err != nil || strings.Contains(string(page), "http:") || strings.Contains(string(page), "https:") || strings.Count(string(page), "<svg") != 3 {
		t.Errorf("got %v\n%s", err, page)
	}
	for _, part := range strings.Split(string(page), "<svg")[1:] {
		image, _, _ := strings.Cut("<svg"+part, "</svg>")
		decoder := xml.NewDecoder(strings.NewReader(image + "</svg>"))
		lines := 0
		for {
			token, err := decoder.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%v\n%s", err, image)
			}
			if e, ok := token.(xml.StartElement); ok && e.Name.Local == "polyline" {
				lines++
			}
		}
		if lines == 0 || strings.Contains(image, "NaN") || strings.Contains(image, "%!") || strings.Contains(image, "Inf") {
			t.Errorf("got %s", image)
		}
	}
	if text, err := os.ReadFile(hdr); err != nil || !strings.Contains(string(text), "#[Max     =") {
		t.Errorf("got %v\n%s", err, text)
	}
}

// The messages of a recording are those that its clients have sent.
func TestLoadRecording(t *testing.T) {
	came := make(chan string, 1000)
	s := serve(t, echo.Protocol, nil, func(ctx context.Context, c *qsocket.Conn[string]) {
		for m, err := range c.All(ctx) {
			if err != nil || c.Send(ctx, m) != nil {
				return
			}
			came <- m
		}
	})
	path := filepath.Join(t.TempDir(), "x.rec")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	now := time.Now()
	w, err := recording.NewWriter(file, recording.About{To: s.url}, now)
	if err != nil {
		t.Fatal(err)
	}
	sent := append(helloOf("echo/1", "msgpack"), "\x00\x00\x00\x02\xa1a\x00\x00\x00\x02\xa1b"...)
	answers := append(helloOf("echo/1", "msgpack"), "\x00\x00\x00\x02\xa1c"...)
	for _, e := range []recording.Entry{
		{Kind: recording.Open, Conn: 1, Time: now}, {Kind: recording.Data, From: recording.Client, Conn: 1, Time: now, Data: sent},
		{Kind: recording.Data, From: recording.Server, Conn: 1, Time: now, Data: answers},
	} {
		if err := w.Write(&e); err != nil {
			t.Fatal(err)
		}
	}
	r := loads(t, 0, "", "--rate", "100", "--for", "50ms", s.url, path)
	if a, b := <-came, <-came; r.Sent != 5 || r.Answered != 5 || a != "a" || b != "b" {
		t.Errorf("got %q, %q, %+v", a, b, r)
	}
	other := serve(t, qsocket.Protocol[string]{Name: "echo/1", Codec: qsocket.JSON[string]()}, nil, echoing[string])
	runs(t, "load", "--rate", "1", other.url, path).want(t, 2, `was recorded with the codec "msgpack", and the server's is "json"`)
}

func TestLoadOneWay(t *testing.T) {
	s := serve(t, echo.Protocol, nil, func(ctx context.Context, c *qsocket.Conn[string]) {
		for range c.All(ctx) {
		}
	})
	r := loads(t, 0, `"x"`, "--rate", "2000", "--for", "200ms", "--answers", "0", s.url)
	if r.Sent != 400 || r.Unanswered != 0 || r.Latency["p50"] <= 0 {
		t.Errorf("got %+v", r)
	}
	raw := serve(t, qsocket.Protocol[string]{Framing: qsocket.Uint16}, nil, echoing[string])
	if r := loads(t, 0, `"x"`, "--rate", "2000", "--for", "200ms", "--codec", "msgpack", "--framing", "Uint16", raw.url); r.Answered != 400 {
		t.Errorf("raw mode: got %+v", r)
	}
}

func TestLoadFails(t *testing.T) {
	s := serve(t, echo.Protocol, nil, echoing[string])
	for _, tt := range []struct {
		in, args, want string
		code           int
	}{
		{`"x"`, s.url, "want one of --rate", 2},
		{`"x"`, "--rate=-1 " + s.url, "--rate -1", 2},
		{`"x"`, "--closed 1 --rate 5 " + s.url, "can't be used together", 2},
		{`"x"`, "--closed=-1 " + s.url, "--closed -1", 2},
		{`"x"`, "--closed 1 --answers 0 " + s.url, "--closed waits for answers", 2},
		{`"x"`, "--rate 1 --conns 0 " + s.url, "--conns 0", 2},
		{`"x"`, "--rate 1 --for 0s " + s.url, "--for 0s", 2},
		{`"x"`, "--rate 1 --answers=-1 " + s.url, "--answers -1", 2},
		{"", "--rate 1 " + s.url, "the input has no message", 2},
		{"\"x\"\n{", "--rate 1 " + s.url, "the input, line 2", 2},
		{"17", "--rate 1 " + s.url, "the input, line 1", 2},
		{"", "--rate 1 " + s.url + " none.jsonl", "no such file", 2},
		{`"x"`, "--rate 1 tcp://127.0.0.1:1", "connection refused", 1},
		{`"x"`, "--rate 100 --for 10ms --hdr /none/x " + s.url, "/none/x", 2},
	} {
		t.Run(tt.args, func(t *testing.T) {
			runsWith(t, tt.in, append([]string{"load"}, strings.Fields(tt.args)...)...).want(t, tt.code, tt.want)
		})
	}
	long := strings.Repeat("x", 2<<20)
	runsWith(t, `"`+long+`"`, "load", "--rate", "10", "--for", "100ms", "--timeout", "1s", s.url).want(t, 2, "a message has 2097157 bytes as msgpack, and the server takes at most 1048576")
	ends := serve(t, echo.Protocol, nil, func(ctx context.Context, c *qsocket.Conn[string]) {
		c.Recv(ctx)
		c.CloseWithReason("enough")
	})
	for _, model := range [][]string{{"--rate", "100"}, {"--closed", "2"}} {
		runsWith(t, `"x"`, append([]string{"load", "--for", "300ms", "--timeout", "1s", ends.url}, model...)...).want(t, 1, `of 1 connections have failed`, "enough")
	}
	full := serve(t, echo.Protocol, &qsocket.Options{MaxConns: 2}, echoing[string])
	runsWith(t, `"x"`, "load", "--rate", "1", "--conns", "5", full.url).want(t, 1, "full")
}
