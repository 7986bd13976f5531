package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/fb9bb4ed/qsocket/internal/schema"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// nasty is what a terminal would act upon.
const nasty = "a\x1b[2J\x07\r\n\u202e\u0085b"

// serverHello is the hello of a server, changed by f.
func serverHello(f func(*wire.Hello)) []byte {
	most := uint64(1 << 20)
	h := &wire.Hello{Proto: "test/1", Codec: "msgpack", Max: &most, Lines: wire.HelloLines}
	if f != nil {
		f(h)
	}
	return h.Append(nil)
}

// described is that of a server with a description, followed by it.
func described(text string) []byte {
	b := serverHello(func(h *wire.Hello) { h.Types, h.Desc = schema.Fingerprint(text), uint64(len(text)) })
	for part := range chunks(text, wire.MaxControl-1) {
		b = wire.AppendControl(b, wire.KindTypes, []byte(part))
	}
	return b
}

func chunks(s string, n int) func(func(string) bool) {
	return func(yield func(string) bool) {
		for len(s) > 0 && yield(s[:min(n, len(s))]) {
			s = s[min(n, len(s)):]
		}
	}
}

// Whatever a server sends, probe and schema end, in time, with a line that says what is wrong, and print
// nothing that is not printable.
func TestProbeHostile(t *testing.T) {
	huge := strings.Repeat("x", 1<<16-1)
	after := func(b []byte) []byte { return append(serverHello(nil), b...) }
	frame := func(size uint32) []byte { return binary.BigEndian.AppendUint32(nil, size) }
	tlsGarbage := "\x16\x03\x01\x40\x00" + strings.Repeat("\xff", 1<<14)
	for _, tt := range []struct {
		name  string
		bytes []byte
		probe int
	}{
		{"nothing", nil, 1},
		{"magic only", []byte("QSK"), 1},
		{"version", []byte("QSK\x07aaaa"), 1},
		{"garbage", []byte(nasty + strings.Repeat(nasty, 1000)), 1},
		{"zeros", make([]byte, 1<<20), 1},
		{"http", []byte("HTTP/1.1 400 Bad Request\r\n\r\n"), 1},
		{"tls", []byte(tlsGarbage), 1},
		{"endless hello", append([]byte("QSK\x01\xff\xff\xff\xff"), make([]byte, 1<<20)...), 1},
		{"hello of rubbish", append([]byte("QSK\x01\x00\x00\x01\x00"), bytes.Repeat([]byte{0xc1}, 256)...), 1},
		{"hello nested deep", append([]byte("QSK\x01\x00\x00\x10\x00\x81\xa1a"), bytes.Repeat([]byte{0x91}, 4093)...), 1},
		{"unprintable names", serverHello(func(h *wire.Hello) {
			h.Proto, h.Codec, h.Attr = nasty, nasty, map[string]string{nasty: nasty}
		}), 0},
		{"long names", serverHello(func(h *wire.Hello) { h.Proto = strings.Repeat("p", 1000); h.Codec = strings.Repeat("c", 1000) }), 0},
		{"huge numbers", serverHello(func(h *wire.Hello) {
			n := uint64(1<<64 - 1)
			h.Max, h.Beat, h.Expiry, h.Keep = &n, n, n, n
		}), 0},
		{"unprintable description", described(strings.Repeat(nasty, 100)), 0},
		{"huge description", described(huge), 0},
		{"description of other fingerprint", append(serverHello(func(h *wire.Hello) { h.Types, h.Desc = strings.Repeat("0", 32), 1 }), wire.AppendControl(nil, wire.KindTypes, []byte("x"))...), 1},
		{"parts without end", append(serverHello(func(h *wire.Hello) { h.Types, h.Desc = strings.Repeat("0", 32), 65536 }), bytes.Repeat(wire.AppendControl(nil, wire.KindTypes, []byte("x")), 70000)...), 1},
		{"refusal with bad words", after(wire.Goodbye{Reason: nasty, Full: true, Code: 8}.Frame()), 1},
		{"verdict that does not come", serverHello(func(h *wire.Hello) { h.Admits = true }), 1},
		{"verdict with a body", append(serverHello(func(h *wire.Hello) { h.Admits = true }), wire.AppendControl(nil, wire.KindAdmitted, []byte("x"))...), 1},
		{"frame of 2 GiB", after(frame(1<<31 - 1)), 0},
		{"control frame of 2 GiB", after(frame(1<<32 - 1)), 0},
		{"control frame of nothing", after(frame(1 << 31)), 0},
		{"going away with bad words", after(append(wire.GoingAway{Reason: nasty}.Frame(), wire.ConfirmFrame...)), 0},
		{"messages without end", after(bytes.Repeat(append(frame(1000), make([]byte, 1000)...), 10_000)), 0},
		{"goodbyes without end", after(bytes.Repeat(wire.Goodbye{Full: true}.Frame(), 10_000)), 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			addr := hostile(t, func(nc net.Conn) { _, _ = nc.Write(tt.bytes) })
			for _, args := range [][]string{
				{"probe", addr}, {"probe", "--json", addr}, {"probe", "-n", "2", addr}, {"probe", "--confirm", addr}, {"probe", "--codec", "json", addr},
				{"probe", strings.Replace(addr, "tcp", "tls", 1)}, {"schema", addr}, {"schema", "--json", addr}, {"schema", "diff", addr, addr},
			} {
				begin := time.Now()
				o := runs(t, append(args, "--timeout", "50ms")...)
				checked := len(args) == 2 && args[0] == "probe" && strings.HasPrefix(args[1], "tcp")
				if checked && o.code != tt.probe { // a machine that stands still for 50 ms
					begin = time.Now()
					o = runs(t, append(args, "--timeout", "500ms")...)
				}
				if took := time.Since(begin); took > patience/2 {
					t.Errorf("%q took %v", args, took)
				}
				if checked && o.code != tt.probe {
					t.Errorf("probe: got code %d, want %d\n%s%s", o.code, tt.probe, o.out, o.err)
				}
				if lines := strings.Count(o.err, "\n"); o.code == 2 || lines > 1 || o.code == 1 && lines == 0 && args[1] != "--json" {
					t.Errorf("%q: got code %d\n%s", args, o.code, o.err)
				}
				if args[1] == "--json" && o.out != "" && !json.Valid([]byte(o.out)) {
					t.Errorf("%q: got %s", args, o.out)
				}
				bad := func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }
				if args[1] != "--json" && strings.ContainsFunc(o.out, bad) || strings.ContainsFunc(o.err, bad) || len(o.out) > 200<<10 || len(o.err) > 8<<10 {
					t.Errorf("%q: got %.1000q %.1000q", args, o.out, o.err)
				}
			}
		})
	}
}

// A server that sends without end costs time and bounded memory.
func TestProbeEndless(t *testing.T) {
	for _, tt := range []struct {
		name         string
		first, again []byte
	}{
		{"zeros", nil, make([]byte, 64<<10)},
		{"messages", serverHello(nil), make([]byte, 64<<10)}, // empty ones
		{"heartbeats", serverHello(nil), bytes.Repeat(wire.HeartbeatFrame, 1000)},
		{"half goodbyes", serverHello(nil), bytes.Repeat(wire.Goodbye{}.Frame(), 1000)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			addr := hostile(t, func(nc net.Conn) {
				_, err := nc.Write(tt.first)
				for err == nil {
					_, err = nc.Write(tt.again)
				}
				_, _ = io.Copy(io.Discard, nc)
			})
			for _, args := range [][]string{{"probe", addr}, {"schema", addr}} {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				o := runs(t, append(args, "--timeout", "200ms")...)
				runtime.ReadMemStats(&after)
				if o.code == 2 {
					t.Errorf("%q: got %+v", args, o)
				}
				if took := after.TotalAlloc - before.TotalAlloc; took > 16<<20 {
					t.Errorf("%q: took %d MiB", args, took>>20)
				}
			}
		})
	}
}
