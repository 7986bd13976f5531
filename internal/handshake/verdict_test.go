package handshake

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/schema"
)

func order(fields string) string {
	return "msgpack\nmessage Order\nstruct Order\n ID uint64\n Symbol string\n Price float64\n Legs []Leg\n" + fields + "struct Leg\n Qty int\n"
}

func judgeText(ctx context.Context, ours *schema.Own, theirs string) (*verdict, error) {
	return judge(ctx, ours, theirs, schema.SumOf(theirs))
}

// The second of two peers with the same description costs no comparison.
func TestJudgeRemembers(t *testing.T) {
	ours := schema.OwnText(order(" N int\n"))
	for _, test := range []struct{ theirs, differences, mismatch string }{
		{order(" N int\n Venue string\n"), "Order.Venue is only at the peer: it is skipped\n", ""},
		{order(" N string\n"), "", "Order.N string"},
		{"nonsense\n", "the description that the peer sent is not understood: schema: line 2: text ends where a message is expected\n", ""},
	} {
		v, err := judgeText(t.Context(), ours, test.theirs)
		if err != nil {
			t.Fatal(err)
		}
		if v.differences != test.differences || (v.mismatch != nil) != (test.mismatch != "") || v.mismatch != nil && v.mismatch.Peer != test.mismatch {
			t.Errorf("got %+v, want %q, %q", v, test.differences, test.mismatch)
		}
		if again, err := judgeText(t.Context(), schema.OwnText(ours.Text), test.theirs); again != v || err != nil {
			t.Errorf("got %p, %v, want the same as before, %p", again, err, v)
		}
	}
	if v, err := judgeText(t.Context(), schema.OwnText(order(" N string\n")), order(" N string\n")); err != nil || v.mismatch != nil {
		t.Errorf("another one of ours: got %+v, %v", v, err)
	}
}

// A stranger cannot make the table large, nor keep what is asked for out of it.
func TestVerdictsAreBounded(t *testing.T) {
	var table verdictTable
	key := func(n int) verdictKey {
		return verdictKey{ours: schema.SumOf("ours"), theirs: schema.SumOf(fmt.Sprint(n))}
	}
	honest := &verdict{}
	table.put(key(-1), honest)
	for n := range 10 * maxVerdicts {
		table.put(key(n), &verdict{differences: strings.Repeat("x", n%7*3000)})
		table.put(key(n), &verdict{differences: "another goroutine was as fast"})
		size := 0
		for _, e := range table.list {
			size += e.size()
		}
		if len(table.list) > maxVerdicts || size > maxVerdictsSize || size != table.size {
			t.Fatalf("%d verdicts of %d bytes, counted as %d", len(table.list), size, table.size)
		}
		if table.get(key(-1)) != honest {
			t.Fatalf("after %d others: forgotten, though it was asked for in between", n)
		}
		if got := table.get(key(n)); got == nil || len(got.differences) != n%7*3000 {
			t.Fatalf("got %v", got)
		}
	}
	if table.get(key(0)) != nil {
		t.Error("the first one is still there")
	}
}

// Who waits for a place, or compares, gives up when its handshake is over.
func TestJudgeGivesUp(t *testing.T) {
	waiting := order(fmt.Sprintf(" Waiting%d int\n", rand.Uint64())) // no verdict of an earlier run
	for range cap(places) {
		places <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { // ends with ctx
		_, err := judgeText(ctx, schema.OwnText(order(" N int\n")), waiting)
		ended <- err
	}()
	select {
	case err := <-ended:
		t.Errorf("got %v without a place", err)
	default:
	}
	cancel()
	err := <-ended
	for range cap(places) {
		<-places
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("waiting: got %v", err)
	}
	if late := Late(err, time.Second); !errors.Is(late, os.ErrDeadlineExceeded) || !strings.Contains(late.Error(), "had not been compared") {
		t.Errorf("got %v", late)
	}

	var fields strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&fields, " F%d int\n", i)
	}
	if v, err := compare(ctx, schema.OwnText(order(" N int\n")), order(fields.String())); v != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("comparing: got %v, %v", v, err)
	}
	if v, err := judgeText(t.Context(), schema.OwnText(order(" N int\n")), waiting); err != nil || v.differences == "" {
		t.Errorf("the next one: got %v, %v", v, err)
	}
}

// Peers come at the same time.
func TestJudgeConcurrently(t *testing.T) {
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() { // ends by itself
			for i := range 50 {
				v, err := judgeText(t.Context(), schema.OwnText(order(fmt.Sprintf(" N%d int\n", g%2))), order(fmt.Sprintf(" F%d int\n", i%20)))
				if want := fmt.Sprintf("Order.F%d is only at the peer: it is skipped\nOrder.N%d is only here: the peer skips it\n", i%20, g%2); err != nil || v.differences != want {
					t.Errorf("got %v, %v, want %q", v, err, want)
				}
			}
		})
	}
	all.Wait()
	if len(places) != 0 {
		t.Errorf("%d places are taken", len(places))
	}
}

// BenchmarkJudge is what a peer with another version costs: the first one, and the next.
func BenchmarkJudge(b *testing.B) {
	large := ""
	for i := range 3000 {
		large += fmt.Sprintf(" Field%d string\n", i)
	}
	for _, w := range []struct{ name, ours, theirs string }{
		{"usual", order(" N int\n"), order(" N int\n Venue string\n")},
		{"large", order(large), order(large + " Venue string\n")},
	} {
		ours := schema.OwnText(w.ours)
		b.Run(w.name+"/first", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := compare(b.Context(), ours, w.theirs); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(w.name+"/next", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := judgeText(b.Context(), schema.OwnText(w.ours), w.theirs); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
