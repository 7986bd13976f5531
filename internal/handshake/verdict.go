package handshake

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"

	"github.com/fb9bb4ed/qsocket/internal/schema"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// verdict is what comes of comparing two descriptions: the differences, a line each, or
// why the two ends cannot talk.
type verdict struct {
	differences string
	mismatch    *wire.Mismatch // not to be changed
}

func (v *verdict) size() int {
	n := len(v.differences)
	if m := v.mismatch; m != nil {
		n += len(m.Local) + len(m.Peer)
	}
	return n
}

// places are for those who compare at a time, in the whole process. Comparing is all
// computing, so more of them would not be over earlier, but take memory, and the processor
// from the connections that are open. Who waits for a place holds the peer's text only.
var places = make(chan struct{}, runtime.GOMAXPROCS(0))

// uncompared is the error of who had to give up waiting or comparing.
func uncompared(ctx context.Context) error {
	return unfinished{ctx.Err(), "the descriptions of the message types", "been compared"}
}

// judge compares the two descriptions, or knows the result. sum is that of theirs.
func judge(ctx context.Context, ours *schema.Own, theirs string, sum schema.Sum) (*verdict, error) {
	key := verdictKey{ours.Sum, sum}
	if v := verdicts.get(key); v != nil {
		return v, nil
	}
	select {
	case places <- struct{}{}:
		defer func() { <-places }()
	case <-ctx.Done():
		return nil, uncompared(ctx)
	}
	if v := verdicts.get(key); v != nil { // found meanwhile
		return v, nil
	}
	v, err := compare(ctx, ours, theirs)
	if err == nil {
		verdicts.put(key, v)
	}
	return v, err
}

func compare(ctx context.Context, ours *schema.Own, theirs string) (*verdict, error) {
	local, err := ours.Schema()
	if err != nil {
		return nil, fmt.Errorf("qsocket: the schema of our own codec: %w", err)
	}
	peer, err := schema.ParseContext(ctx, theirs)
	var diffs []schema.Difference
	if err == nil {
		diffs, err = schema.CompareContext(ctx, local, peer)
	}
	switch {
	case err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return nil, uncompared(ctx)
	case err != nil:
		// Perhaps it is of a later form. That must not keep two versions of the library from
		// talking, so it is no refusal but something to log.
		return &verdict{differences: fmt.Sprintf("the description that the peer sent is not understood: %v\n", err)}, nil
	}
	if len(diffs) > 0 && diffs[0].Breaking { // they come first
		d := diffs[0]
		return &verdict{mismatch: &wire.Mismatch{Field: "types", Local: describe(d.Path, d.Local), Peer: describe(d.Path, d.Peer)}}, nil
	}
	var lines strings.Builder
	for _, d := range diffs {
		lines.WriteString(d.String() + "\n")
	}
	return &verdict{differences: lines.String()}, nil
}

// describe says what one end has at a path, for a Mismatch. what is empty if it has
// nothing there.
func describe(path, what string) string {
	if what == "" {
		return "no " + path
	}
	return path + " " + what
}

// verdictTable keeps the last verdicts. A fleet whose clients are of an earlier version
// connects again and again with the same two descriptions. A stranger can make it forget,
// which costs the next client a comparison, but not make it large.
type verdictTable struct {
	mu   sync.Mutex
	list []verdictEntry // the one that was asked for last is the last one
	size int
}

type verdictKey struct{ ours, theirs schema.Sum }

type verdictEntry struct {
	key verdictKey
	*verdict
}

const (
	maxVerdicts     = 64
	maxVerdictsSize = 256 << 10 // bytes of what they say
)

var verdicts verdictTable

func (t *verdictTable) get(key verdictKey) *verdict {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := len(t.list) - 1; i >= 0; i-- {
		if e := t.list[i]; e.key == key {
			copy(t.list[i:], t.list[i+1:])
			t.list[len(t.list)-1] = e
			return e.verdict
		}
	}
	return nil
}

// put takes in a verdict that is not there, and drops the oldest ones.
func (t *verdictTable) put(key verdictKey, v *verdict) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range t.list {
		if e.key == key {
			return // another one compared the same
		}
	}
	t.list = append(t.list, verdictEntry{key, v})
	t.size += v.size()
	drop := 0
	for len(t.list)-drop > maxVerdicts || t.size > maxVerdictsSize {
		t.size -= t.list[drop].size()
		drop++
	}
	t.list = append(t.list[:0], t.list[drop:]...)
	clear(t.list[len(t.list):cap(t.list)])
}
