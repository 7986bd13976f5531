package main

import (
	"math"
	"strings"
	"testing"
)

// find returns the goal whose name begins with a text.
func find(t *testing.T, goals []goal, prefix, mode string) goal {
	t.Helper()
	for _, g := range goals {
		if strings.HasPrefix(g.Name, prefix) && g.Mode == mode {
			return g
		}
	}
	t.Fatalf("no goal %q by %s", prefix, mode)
	return goal{}
}

func TestGoals(t *testing.T) {
	res := fixed(map[string]map[string]float64{
		rawBatched:             {"W1": 60, "64K": 40_000},
		rawSingle:              {"W3": 15_000, "W6": 25_000},
		"qsocket channel/none": {"W1": 120, "W3": 24_000, "conns=1": 100, "conns=10": 90, "conns=100": 110, "conns=1000": 126, "idle": 8192},
		"qsocket pull/none":    {"W1": 66, "W3": 16_500, "conns=1": 100, "conns=10": 90, "conns=100": 110, "conns=1000": 125, "idle": 8192},
		"qsocket pull/msgpack": {"W1": 500, "load=20000": 700},
		gorilla:                {"W1": 6000, "load=20000": 1000},
		grpcStream:             {"load=20000": 1400},
		natsBroker:             {"load=20000": 1100},

		rawSingle + " over tls":             {"W3": 20_000},
		"qsocket pull/none over tls":        {"W3": 24_000},
		"qsocket pull/msgpack over tls":     {"W3": 30_000},
		gorilla + " over tls":               {"W3": 36_000},
		rawSingle + " over wrapper":         {"W3": 16_000},
		"qsocket channel/none over wrapper": {"W3": 33_600},
		"coder/websocket/msgpack":           {"W1": 5000},
	})
	goals := res.evaluate()
	for _, test := range []struct {
		name, mode string
		measured   float64
		met        bool
		missing    string
	}{
		{"W1, no codec: throughput", "channel", 0.5, false, ""},
		{"W1, no codec: throughput", "pull", 60.0 / 66, true, ""},
		{"W3, no codec: time", "channel", 1.6, true, ""},
		{"W3, no codec: time", "pull", 1.1, false, ""},
		{"W6, no codec: time", "pull", 0, false, "qsocket pull/none in W6"},
		{"W1, msgpack: throughput ÷ that of best websocket", "pull", 10, false, ""},
		{"W1, msgpack: throughput ÷ that of grpc", "pull", 0, false, grpcStream + " in W1"},
		{"64K, no codec", "channel", 0, false, "qsocket channel/none in 64K"},
		{"idle, bytes per end, no codec", "channel", 8192, true, ""},
		{"idle, bytes per end, no codec", "pull", 8192, false, ""},
		{"cost with 10 to 1000 connections, × that with one, no codec", "channel", 1.26, false, ""},
		{"cost with 10 to 1000 connections, × that with one, no codec", "pull", 1.25, true, ""},
		{"allocations", "pull", 0, false, "qsocket pull/none in W2"},
		{"W3, no codec over tls: time ÷ that of raw/none", "pull", 1.2, true, ""},
		{"W3, no codec over tls: time ÷ that of raw/none", "channel", 0, false, "qsocket channel/none over tls in W3"},
		{"W3, msgpack over tls: throughput ÷ that of gorilla", "pull", 1.2, true, ""},
		{"W3, msgpack over tls: throughput ÷ that of grpc", "pull", 0, false, grpcStream + " over tls in W3"},
		{"W3, no codec over wrapper: time ÷ that of raw/none", "channel", 2.1, false, ""},
		{"load=20000, msgpack: p99 ÷ that of best of", "pull", 0.7, true, ""},
		{"load=100000, msgpack: p99 ÷ that of best of", "pull", 0, false, "qsocket pull/msgpack in load=100000"},
		{"cost with 10,000 connections", "pull", 0, false, "qsocket pull/none in conns=10000"},
	} {
		g := find(t, goals, test.name, test.mode)
		if math.Abs(g.Measured-test.measured) > 1e-9 || g.Met != test.met || g.Missing != test.missing {
			t.Errorf("%s by %s: got %+v, want measured %v, met %v, missing %q", test.name, test.mode, g, test.measured, test.met, test.missing)
		}
	}
}

// Where others are compared with, it is told what plain sockets would reach.
func TestGoalsTellWhatRawSocketsReach(t *testing.T) {
	res := fixed(map[string]map[string]float64{
		rawBatched:             {"W1": 60, "W3": 13_000, "conns=1": 50, "conns=10000": 100},
		rawSingle:              {"W1": 4000, "W3": 12_000},
		"qsocket pull/none":    {"W1": 66, "W3": 13_000, "conns=1": 50, "conns=10000": 150},
		"qsocket pull/msgpack": {"W1": 500, "W3": 14_000, "load=20000": 700},
		gorilla:                {"W1": 6000, "W3": 15_000, "load=20000": 1000},
		grpcStream:             {"W1": 3000, "load=20000": 1400},
		natsBroker:             {"load=20000": 1100},

		"coder/websocket/msgpack": {"W1": 5000},
	})
	goals := res.evaluate()
	for _, test := range []struct {
		name string
		raw  float64
	}{
		{"W1, no codec: throughput", 0},
		{"W1, msgpack: throughput ÷ that of grpc", 50},
		{"W1, msgpack: throughput ÷ that of best websocket", 5000.0 / 60},
		{"W3, msgpack: throughput ÷ that of gorilla", 1.25},
		{"load=20000, msgpack: p99", 0},
		{"cost with 10,000 connections, × that with one, no codec", 2},
	} {
		if g := find(t, goals, test.name, "pull"); g.Missing != "" || math.Abs(g.Raw-test.raw) > 1e-9 {
			t.Errorf("%s: got %+v, want %v", test.name, g, test.raw)
		}
	}
	if text := goalTable(goals); !strings.Contains(text, "raw sockets") || !strings.Contains(text, " 1.25 |") {
		t.Errorf("got\n%s", text)
	}
}

func TestAllocationGoal(t *testing.T) {
	all := map[string]float64{"W1": 1, "W2": 1, "W3": 1, "W4": 1, "W5": 1}
	res := fixed(map[string]map[string]float64{"qsocket pull/none": all})
	for _, test := range []struct {
		allocs float64
		met    bool
	}{{0, true}, {0.01, true}, {1, false}} {
		res.cell("qsocket pull/none", "W4").Allocs = test.allocs
		if g := find(t, res.evaluate(), "allocations", "pull"); g.Met != test.met || g.Measured != test.allocs {
			t.Errorf("with %v: got %+v", test.allocs, g)
		}
	}
}
