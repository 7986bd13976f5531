package pickle_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/big"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/pickle"
)

var (
	seed  = flag.Int("seed", 1, "of the random values that Python makes")
	count = flag.Int("count", 300, "random values that Python makes")
)

// TestCPython lets CPython write random values with each protocol, compares what they are
// decoded to, and lets CPython read what is made of that with each of ours.
//
//	go test -run CPython ./pickle -args -seed=2 -count=10000
func TestCPython(t *testing.T) {
	cmd := testkit.PlainPython(t, "testdata/cpython.py", "write", fmt.Sprint(*seed), fmt.Sprint(*count))
	out := run(t, cmd.Output)
	dec := pickle.Codec[any](pickle.MaxExpansion(1000)).NewDecoder()
	var texts []string
	var hexes [2]bytes.Buffer
	encoders := [2]func(any) ([]byte, error){appendWith(), appendWith(pickle.Protocol3())}
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		code, want, _ := strings.Cut(lines.Text(), " ")
		payload, err := hex.DecodeString(code)
		if err != nil {
			t.Fatal(err)
		}
		v, err := dec.Decode(payload)
		if err != nil {
			t.Fatalf("%.400q of CPython: %v", payload, err)
		}
		if got := text(v); got != want {
			t.Fatalf("%.400q of CPython: got %.400s, want %.400s", payload, got, want)
		}
		texts = append(texts, want)
		for i, encode := range encoders {
			b, err := encode(v)
			if err != nil {
				t.Fatalf("%.400s: %v", want, err)
			}
			fmt.Fprintf(&hexes[i], "%x\n", b)
		}
	}
	if len(texts) < 3**count {
		t.Fatalf("CPython wrote %d pickles, want %d or more", len(texts), 3**count)
	}
	for i := range hexes {
		compareRead(t, &hexes[i], texts)
	}
	t.Logf("%d pickles", len(texts))
}

func appendWith(opts ...pickle.Option) func(any) ([]byte, error) {
	enc := pickle.Codec[any](opts...).NewEncoder()
	return func(v any) ([]byte, error) { return enc.Append(nil, v) }
}

// compareRead lets CPython read the pickles, and compares the values.
func compareRead(t *testing.T, pickles io.Reader, want []string) {
	t.Helper()
	cmd := testkit.PlainPython(t, "testdata/cpython.py", "read")
	cmd.Stdin = pickles
	got := strings.Fields(string(run(t, cmd.Output)))
	if len(got) != len(want) {
		t.Fatalf("CPython read %d pickles, want %d", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("CPython reads %.400s, want %.400s", got[i], want[i])
		}
	}
}

func run(t *testing.T, output func() ([]byte, error)) []byte {
	t.Helper()
	out, err := output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		t.Fatalf("Python: %v", err)
	}
	return out
}

// text is that of cpython.py, of what comes for an any.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return "n"
	case bool:
		return map[bool]string{true: "t", false: "f"}[v]
	case int64:
		return fmt.Sprintf("i%x", v)
	case *big.Int:
		return fmt.Sprintf("i%x", v)
	case float64:
		if v != v {
			return "dnan"
		}
		return "d" + hex.EncodeToString(binary.BigEndian.AppendUint64(nil, math.Float64bits(v)))
	case string:
		return fmt.Sprintf("s%x", v)
	case []byte:
		return fmt.Sprintf("b%x", v)
	case []any:
		return "[" + strings.Join(texts(v), ",") + "]"
	case map[string]any:
		return entriesText(v)
	case map[any]any:
		return entriesText(v)
	case map[any]struct{}:
		var list []any
		for k := range v {
			list = append(list, k)
		}
		return "<" + strings.Join(slices.Sorted(slices.Values(texts(list))), ",") + ">"
	case time.Time:
		_, offset := v.Zone()
		return fmt.Sprintf("T%d%+d", v.UnixMicro(), offset)
	case pickle.Date:
		return "D" + v.String()
	case pickle.TimeOfDay:
		return fmt.Sprintf("C%d", v/pickle.TimeOfDay(time.Microsecond))
	case time.Duration:
		return fmt.Sprintf("P%d", v.Microseconds())
	case pickle.Decimal:
		return "M" + string(v)
	}
	return fmt.Sprintf("?%T", v)
}

func texts(list []any) (all []string) {
	for _, v := range list {
		all = append(all, text(v))
	}
	return all
}

func entriesText[K comparable](m map[K]any) string {
	var all []string
	for k, v := range m {
		all = append(all, text(k)+":"+text(v))
	}
	slices.Sort(all)
	return "{" + strings.Join(all, ",") + "}"
}
