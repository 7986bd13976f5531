package shapes_test

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/leak"
	"github.com/fb9bb4ed/qsocket/tests/shapes"
)

// TestMain fails the run if goroutines of the module outlive the tests.
func TestMain(m *testing.M) { leak.Main(m) }

// There are as many shapes as the documents say, each with a name of its own.
func TestNames(t *testing.T) {
	seen := make(map[string]bool)
	all := shapes.All()
	for _, s := range all {
		if seen[s.Name] {
			t.Errorf("two shapes have the name %q", s.Name)
		}
		seen[s.Name] = true
	}
	if len(all) < 70 {
		t.Errorf("%d shapes, want 70 or more", len(all))
	}
}

// Ours are the bytes of v5, for every shape. Where v5 does not sort the keys of a map, they have
// the same length, and v5 makes the same value of them.
func TestBytes(t *testing.T) {
	for _, s := range shapes.All() {
		t.Run(s.Name, func(t *testing.T) {
			got, want := encode(t, s.Own), encode(t, s.V5)
			switch {
			case s.Unsorted:
				if len(got) != len(want) {
					t.Errorf("%d bytes, v5 writes %d", len(got), len(want))
				}
				if diff := difference(decode(t, s.V5, want), decode(t, s.V5, got)); diff != "" {
					t.Errorf("v5 decodes ours (+) to another value than its own (-):\n%s", diff)
				}
			case !bytes.Equal(got, want):
				t.Errorf("got  %.200x\nwant %.200x", got, want)
			}
			if again := encode(t, s.Own); !bytes.Equal(got, again) {
				t.Errorf("encoded again: %.200x\nbefore:        %.200x", again, got)
			}
		})
	}
}

// What is decoded is what v5 makes of the same bytes, and the value itself unless that
// has interfaces, in which types change.
func TestValues(t *testing.T) {
	for _, s := range shapes.All() {
		t.Run(s.Name, func(t *testing.T) {
			p := encode(t, s.Own)
			for range 3 { // from the second time on, strings may be known
				got := decode(t, s.Own, p)
				if diff := difference(decode(t, s.V5, p), got); diff != "" {
					t.Fatalf("v5 (-) and ours (+) differ:\n%s", diff)
				}
				if diff := difference(s.Value, got); diff != "" && !s.Loose {
					t.Fatalf("sent (-) and received (+) differ:\n%s", diff)
				}
			}
		})
	}
}

func encode(t *testing.T, c shapes.Coder) []byte {
	t.Helper()
	p, err := c.Encode(1)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(p)
}

func decode(t *testing.T, c shapes.Coder, p []byte) any {
	t.Helper()
	v, err := c.Decode(p, 1)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// difference says what is different, or "".
func difference(want, got any) string {
	if reflect.DeepEqual(want, got) {
		return ""
	}
	return fmt.Sprintf("- %.2000s\n+ %.2000s", fmt.Sprintf("%#v", want), fmt.Sprintf("%#v", got))
}

// BenchmarkShapes measures each shape by itself. The order is ours, v5's, since the machine
// may change while it runs: go run . -shapes in bench measures them in turns.
func BenchmarkShapes(b *testing.B) {
	for _, s := range shapes.All() {
		for _, by := range []struct {
			name  string
			coder shapes.Coder
		}{{"qsocket", s.Own}, {"v5", s.V5}} {
			b.Run(s.Name+"/op=encode/by="+by.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := by.coder.Encode(1); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run(s.Name+"/op=decode/by="+by.name, func(b *testing.B) {
				p, err := s.Own.Encode(1)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportAllocs()
				for b.Loop() {
					if _, err := by.coder.Decode(p, 1); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
