package service

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// session is a type of a program's own that is a Member by what it embeds, and cannot be the
// key of a map.
type session struct {
	*qsocket.Conn[string]
	topics []string
}

// All but those in except get the message, whatever except is.
func TestBroadcastExcept(t *testing.T) {
	identity := func(s string) ([]byte, error) { return []byte(s), nil }
	for name, codec := range map[string]qsocket.Codec[string]{
		"encoded once":     testkit.TextCodec,
		"encoded for each": stateful{identity},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := testkit.Context(t)
			p := qsocket.Protocol[string]{Codec: codec}
			g, members, peers := group(t, p, qsocket.Block, 5, nil)
			stranger, _ := testkit.Pair(t, "pipe", p, nil, nil)
			type M = qsocket.Member[string]
			want := make([][]string, len(peers))
			for i, test := range []struct {
				except []M
				not    []int // members that do not get it
			}{
				{nil, nil},
				{[]M{members[0]}, []int{0}},
				{[]M{members[4]}, []int{4}},
				{[]M{members[3], members[1]}, []int{1, 3}},
				{[]M{members[2], members[2]}, []int{2}},
				{[]M{stranger}, nil},
				{[]M{nil, (*qsocket.Conn[string])(nil)}, nil},
				{[]M{session{members[1], []string{"tea"}}, &session{Conn: members[2]}}, []int{1, 2}},
				{[]M{members[0], members[1], members[2], members[3], members[4], stranger}, []int{0, 1, 2, 3, 4}},
			} {
				m := fmt.Sprint("message ", i)
				sent, err := g.BroadcastExcept(ctx, m, test.except...)
				if sent != 5-len(test.not) || err != nil {
					t.Errorf("%s: got %d, %v, want %d", m, sent, err, 5-len(test.not))
				}
				for k := range peers {
					if got := strings.Contains(fmt.Sprint(test.not), fmt.Sprint(k)); !got {
						want[k] = append(want[k], m)
					}
				}
			}
			for k, peer := range peers {
				var got []string
				for range want[k] {
					m, err := peer.Recv(ctx)
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, m)
				}
				if diff := cmp.Diff(want[k], got); diff != "" {
					t.Errorf("member %d (-want +got):\n%s", k, diff)
				}
				if n := members[k].Stats().MessagesSent; n != uint64(len(want[k])) {
					t.Errorf("member %d was sent %d messages, want %d", k, n, len(want[k]))
				}
			}
		})
	}
}

// The policy is not for excluded members: a slow one is not waited for, counted or ended.
func TestBroadcastExceptSlowMember(t *testing.T) {
	for _, policy := range []qsocket.Overflow{qsocket.Block, qsocket.Drop, qsocket.Disconnect} {
		t.Run(policy.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g, members, peers := group(t, testkit.Text, policy, 2, &qsocket.Options{SendBuffer: 300})
				stall(t, members[0])
				start := time.Now()
				if sent, err := g.BroadcastExcept(t.Context(), strings.Repeat("y", 100), members[0]); sent != 1 || err != nil {
					t.Errorf("got %d, %v, want 1", sent, err)
				}
				if _, err := peers[1].Recv(t.Context()); err != nil {
					t.Error(err)
				}
				if got := members[0].Stats().Dropped; got != 0 || g.Len() != 2 || members[0].Err() != nil || time.Since(start) != 0 {
					t.Errorf("after %v: dropped %d, %d members, Err %v", time.Since(start), got, g.Len(), members[0].Err())
				}
				testkit.End(members[0])
				synctest.Wait()
			})
		})
	}
}

// One that leaves and joins again all the time gets nothing of what it is excluded from.
func TestBroadcastExceptWhileJoining(t *testing.T) {
	ctx := testkit.Context(t)
	g, members, peers := group(t, testkit.Raw, qsocket.Drop, 3, nil)
	for _, peer := range peers {
		go func() { // ends with the Conn
			for range peer.Messages() {
			}
		}()
	}
	var running sync.WaitGroup
	var over atomic.Bool
	for range 2 {
		running.Go(func() {
			for !over.Load() {
				g.Remove(members[1])
				g.Add(members[1])
			}
		})
	}
	for range 5000 {
		if sent, err := g.BroadcastExcept(ctx, []byte("x"), members[1]); sent > 2 || err != nil {
			t.Errorf("got %d, %v, want 2", sent, err)
		}
	}
	over.Store(true)
	running.Wait()
	if n := members[1].Stats().MessagesSent; n != 0 {
		t.Errorf("the excluded member was sent %d messages, want 0", n)
	}
}

// Members are yielded in the order of joining, as they were when the loop began.
func TestMembers(t *testing.T) {
	g, members, _ := group(t, testkit.Text, qsocket.Block, 4, nil)
	late, _ := testkit.Pair(t, "pipe", testkit.Text, nil, nil)
	names := map[qsocket.Member[string]]string{late: "late"}
	for i, m := range members {
		names[m] = fmt.Sprint(i)
	}
	check := func(what, want string, each func(m qsocket.Member[string])) {
		t.Helper()
		var got []string
		for m := range g.Members() {
			got = append(got, names[m])
			each(m)
		}
		if got := strings.Join(got, " "); got != want {
			t.Errorf("%s: got %s, want %s", what, got, want)
		}
	}
	nothing := func(qsocket.Member[string]) {}
	check("at first", "0 1 2 3", nothing)
	g.Remove(members[1])
	check("one has left", "0 2 3", nothing)
	g.Add(members[1])
	check("it has come again", "0 2 3 1", nothing)
	check("changes meanwhile", "0 2 3 1", func(m qsocket.Member[string]) {
		g.Remove(m.(*qsocket.Conn[string]))
		g.Add(late)
		if _, err := g.Broadcast(t.Context(), "x"); err != nil {
			t.Error(err)
		}
	})
	check("after the changes", "late", nothing)
	g.Remove(late)
	check("nobody", "", nothing)
	for _, m := range members[:3] {
		g.Add(m)
	}
	for m := range g.Members() {
		if m != members[0] {
			t.Errorf("the loop goes on after break: %s", names[m])
		}
		break
	}
	check("one inside the other", "0 1 2", func(qsocket.Member[string]) { check("inner loop", "0 1 2", nothing) })

	// One that ends leaves by itself, also if the loop ends it.
	check("ending all", "0 1 2", func(m qsocket.Member[string]) {
		testkit.End(m.(*qsocket.Conn[string]))
		<-m.(*qsocket.Conn[string]).Done()
	})
	check("after the end", "", nothing)
	if g.Len() != 0 {
		t.Errorf("%d members, want none", g.Len())
	}
}

// What a Member can do.
func TestMemberMethods(t *testing.T) {
	ctx := testkit.Context(t)
	g := qsocket.NewGroup(testkit.Named, qsocket.Block)
	a, b := testkit.Pair(t, "tcp", testkit.Named, nil, nil)
	g.Add(a)
	prepared, err := testkit.Named.Prepare("prepared")
	if err != nil {
		t.Fatal(err)
	}
	for m := range g.Members() {
		if err := m.Send(ctx, "sent"); err != nil {
			t.Error(err)
		}
		if err := m.SendPrepared(ctx, prepared); err != nil {
			t.Error(err)
		}
		if sent, err := m.TrySend("tried"); !sent || err != nil {
			t.Errorf("got %v, %v", sent, err)
		}
		if sent, err := m.TrySendPrepared(prepared); !sent || err != nil {
			t.Errorf("got %v, %v", sent, err)
		}
		if m.Stats().MessagesSent != 4 || m.RemoteAddr() != a.RemoteAddr() || m.Err() != nil {
			t.Errorf("got %+v, %v, %v", m.Stats(), m.RemoteAddr(), m.Err())
		}
		if err := m.CloseWithReason("enough"); err != nil {
			t.Error(err)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, want := range []string{"sent", "prepared", "tried", "prepared"} {
		if got, err := b.Recv(ctx); got != want || err != nil {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
}

// Everything at the same time: for the race detector.
func TestGroupConcurrentMethods(t *testing.T) {
	ctx := testkit.Context(t)
	g, members, peers := group(t, testkit.Raw, qsocket.Drop, 8, nil)
	for _, peer := range peers {
		peer.Done() // reads
		go func() { // ends with the Conn
			for range peer.Messages() {
			}
		}()
	}
	var running sync.WaitGroup
	for i, m := range members {
		running.Go(func() {
			for k := range 300 {
				switch (i + k) % 4 {
				case 0:
					g.Remove(m)
				case 1:
					g.Add(m)
				case 2:
					if _, err := g.BroadcastExcept(ctx, []byte("x"), m, members[k%8]); err != nil {
						t.Error(err)
					}
				case 3:
					for other := range g.Members() {
						if _, err := other.TrySend([]byte("y")); err != nil {
							t.Error(err)
						}
					}
				}
			}
		})
	}
	running.Wait()
}

func TestBroadcastExceptAllocatesNothing(t *testing.T) {
	if testkit.RaceEnabled {
		t.Skip("the race detector allocates; run without -race")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection empties the pools
	ctx := context.Background()
	shared := make([]byte, 100)
	g, members, peers := group(t, qsocket.Protocol[[]byte]{Codec: testkit.AppendCodec{Shared: shared}}, qsocket.Block, 2, nil)
	got := testing.AllocsPerRun(2000, func() {
		if sent, err := g.BroadcastExcept(ctx, shared, members[0]); sent != 1 || err != nil {
			t.Fatal(sent, err)
		}
		if _, err := peers[1].Recv(ctx); err != nil {
			t.Fatal(err)
		}
	})
	if got != 0 {
		t.Errorf("%v allocations for each message, want 0", got)
	}
}
