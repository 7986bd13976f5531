package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket/codecbench"
	orders "github.com/fb9bb4ed/qsocket/examples/orders/market"
)

func TestBench(t *testing.T) {
	if testing.Short() {
		t.Skip("it measures")
	}
	path := filepath.Join(t.TempDir(), "orders.jsonl")
	if err := os.WriteFile(path, []byte(documentFiles(t)["orders.jsonl"]), 0o600); err != nil {
		t.Fatal(err)
	}
	runs(t, "bench", path).want(t, 0, "2 messages of ", "\nmsgpack  ", "\njson ", "bytes/msg", "in a stream", "smallest…largest")
	s := serve(t, orders.Protocol, nil, gateway)
	o := runsWith(t, documentFiles(t)["orders.jsonl"], "bench", "--json", "-", s.url)
	var results []codecbench.Result
	if err := json.Unmarshal([]byte(o.out), &results); err != nil || o.code != 0 || len(results) != 3 {
		t.Fatalf("got %+v, %v", o, err)
	}
	for i, name := range []string{"msgpack", "msgpack-arrays", "json"} {
		if r := results[i]; r.Codec != name || r.Changed != "" || r.WireBytes < 15 || r.EncodeNanos <= 0 || r.DecodeNanos <= 0 || r.FlateBytes <= 0 {
			t.Errorf("got %+v", r)
		}
	}
	if results[1].WireBytes >= results[0].WireBytes || results[0].WireBytes >= results[2].WireBytes {
		t.Errorf("got %+v", results)
	}
}

func TestBenchFails(t *testing.T) {
	record := filepath.Join(t.TempDir(), "x.protocol")
	if err := os.WriteFile(record, []byte("msgpack\nmessage T\nstruct T\n A complex\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		in, args, want string
		code           int
	}{
		{"", "bench -", "the input has no message", 2},
		{"{\n", "bench -", "the input, line 1", 2},
		{"1\n2 3\n", "bench -", "the input, line 2: more than one value", 2},
		{"1\n[1e999]\n", "bench -", "the input, line 2", 2},
		{"", "bench none.jsonl", "no such file", 2},
		{"1", "bench - none.protocol", "neither a file nor an address", 2},
		{"1", "bench - " + record, "T.A: type complex is not measured", 2},
		{"1", "bench - 127.0.0.1:1", "connection refused", 1},
	} {
		t.Run(tt.args, func(t *testing.T) {
			runsWith(t, tt.in, strings.Fields(tt.args)...).want(t, tt.code, tt.want)
		})
	}
}

// Integers stay integers, so that their encodings are as long as they are in a program.
func TestPlainSample(t *testing.T) {
	v, err := plainSample([]byte(`{"a":[1,-2,9223372036854775807,1.5,1e3,18446744073709551615],"b":{"c":"x","d":null}}`))
	if err != nil {
		t.Fatal(err)
	}
	list := v.(map[string]any)["a"].([]any)
	for i, want := range []any{int64(1), int64(-2), int64(9223372036854775807), 1.5, 1000.0, 18446744073709551616.0} {
		if list[i] != want {
			t.Errorf("got %T %v, want %T %v", list[i], list[i], want, want)
		}
	}
}
