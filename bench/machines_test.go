package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFileName(t *testing.T) {
	for _, test := range []struct {
		cpu, want string
	}{
		{"AMD EPYC", "results-amd-epyc.json"},
		{"Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz", "results-intel-xeon-platinum-8481c-cpu-2-70ghz.json"},
		{"unknown", "results-darwin-arm64.json"},
		{"", "results-darwin-arm64.json"},
		{"../up", "results-up.json"},
	} {
		if got := (machine{CPU: test.cpu, OS: "darwin", Arch: "arm64"}).fileName(); got != test.want {
			t.Errorf("%q: got %q, want %q", test.cpu, got, test.want)
		}
	}
}

// A run adds its machine to those whose results are in the directory already.
func TestMachinesSideBySide(t *testing.T) {
	dir := t.TempDir()
	publish := func(cpu string, write, own float64) {
		t.Helper()
		res := fixed(map[string]map[string]float64{rawSingle: {"W1": write}, "qsocket pull/msgpack": {"W1": own, "W3": 10 * own}})
		res.Machine.CPU = cpu
		if err := res.write(dir); err != nil {
			t.Fatal(err)
		}
	}
	publish("abacus", 4800, 200)
	publish("slide rule", 1000, 100)
	publish("slide rule", 1300, 150) // in place of the earlier run
	report, err := os.ReadFile(filepath.Join(dir, "results.md"))
	if err != nil {
		t.Fatal(err)
	}
	want := `
| machine    | cores | system      | Go     |       date | a write, ns |
|------------|------:|-------------|--------|-----------:|------------:|
| abacus     |     2 | linux/amd64 | go1.26 | 1970-01-01 |        4800 |
| slide rule |     2 | linux/amd64 | go1.26 | 1970-01-01 |        1300 |

W1, one way, ns a message:

| contestant           | abacus | slide rule |
|----------------------|-------:|-----------:|
| qsocket pull/msgpack |    200 |        150 |

W3, there and back, µs:

| contestant           | abacus | slide rule |
|----------------------|-------:|-----------:|
| qsocket pull/msgpack |    2.0 |        1.5 |
`
	if !strings.Contains(string(report), want) {
		t.Errorf("got\n%s\nwant\n%s", report, want)
	}
}
