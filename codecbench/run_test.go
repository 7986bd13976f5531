package codecbench_test

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/codecbench"
)

func BenchmarkQuotes(b *testing.B) {
	codecbench.Run(b, quotes,
		qsocket.Msgpack[quote](),
		codecbench.Named("msgpack/arrays", qsocket.Msgpack[quote](qsocket.ArrayEncodedStructs())),
		qsocket.Gob[quote](),
		qsocket.JSON[quote](),
	)
}

func BenchmarkTrades(b *testing.B) { codecbench.Run(b, trades, qsocket.Binary[trade]()) }

func BenchmarkCounted(b *testing.B) {
	codecbench.Run(b, []byte{1, 2, 3}, qsocket.Codec[byte](counted{}))
}

// BenchmarkMisuse fails, in the process that TestRunMisuse starts.
func BenchmarkMisuse(b *testing.B) {
	if os.Getenv("CODECBENCH_MISUSE") == "" {
		b.Skip("fails on purpose")
	}
	msgpack := qsocket.Msgpack[quote]()
	b.Run("samples", func(b *testing.B) { codecbench.Run(b, nil, msgpack) })
	b.Run("codecs", func(b *testing.B) { codecbench.Run(b, quotes) })
	b.Run("nil", func(b *testing.B) { codecbench.Run(b, quotes, msgpack, nil) })
	b.Run("twice", func(b *testing.B) { codecbench.Run(b, quotes, msgpack, msgpack) })
	b.Run("broken", func(b *testing.B) {
		codecbench.Run(b, quotes, qsocket.Stateless("broken",
			func(quote) ([]byte, error) { return nil, errors.New("no way") },
			func([]byte, *quote) error { return nil }), msgpack)
	})
}

// runBenchmarks runs benchmarks of this package as go test -bench does.
func runBenchmarks(t *testing.T, pattern string, env ...string) (output string, err error) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^$", "-test.benchtime=20x", "-test.bench="+pattern)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	return string(out), err
}

func TestRun(t *testing.T) {
	out, err := runBenchmarks(t, "^Benchmark(Quotes|Trades|Counted)$")
	if err != nil {
		t.Fatal(err)
	}
	for _, codec := range []string{"Quotes/codec=msgpack", "Quotes/codec=msgpack_arrays", "Quotes/codec=gob", "Quotes/codec=json", "Trades/codec=binary", "Counted/codec=counted"} {
		for _, op := range []string{"encode", "decode", "roundtrip", "stream"} {
			line := regexp.MustCompile(`(?m)^Benchmark` + codec + `/op=` + op + `(-\d+)?\s+20\s.*$`).FindString(out)
			for unit, want := range map[string]bool{
				"ns/op":      true,
				"MB/s":       true,
				"allocs/op":  true,
				"wire-B/msg": op == "encode",
				"first-B":    op == "encode" && (codec == "Quotes/codec=gob" || codec == "Counted/codec=counted"),
			} {
				if got := strings.Contains(line, " "+unit); got != want {
					t.Errorf("%s/op=%s: reports %s: %v, want %v: %q", codec, op, unit, got, want, line)
				}
			}
		}
	}
	if want := "codec binary: sample 0: trade.Tags was []string [open] and came back as nil"; strings.Count(out, want) != 1 {
		t.Errorf("want once: %s", want)
	}
}

func TestRunMisuse(t *testing.T) {
	out, err := runBenchmarks(t, "^BenchmarkMisuse$", "CODECBENCH_MISUSE=1")
	if err == nil {
		t.Error("exit code 0, want a failure")
	}
	for name, want := range map[string]string{
		"samples":             "codecbench: no samples, want at least one message to measure with",
		"codecs":              "codecbench: no codecs, want at least one to measure",
		"nil":                 "codecbench: codec 2 of 2 is nil",
		"twice":               `codecbench: codecs 1 and 2 are both named "msgpack"; tell them apart with Named`,
		"broken/codec=broken": "codecbench: codec broken: encode sample 0: no way",
	} {
		if !regexp.MustCompile(`--- FAIL: BenchmarkMisuse/` + name + `(-\d+)?\n +\w+\.go:\d+: ` + regexp.QuoteMeta(want)).MatchString(out) {
			t.Errorf("want a failure of %s: %s", name, want)
		}
	}
	// The codec beside the broken one is measured.
	if !strings.Contains(out, "BenchmarkMisuse/broken/codec=msgpack/op=stream") {
		t.Error("a broken codec kept another from being measured")
	}
}
