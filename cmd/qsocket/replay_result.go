package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/value"
)

// replayResult is what a replay has found.
type replayResult struct {
	Type        string     `json:"type"` // "summary"
	Connections int        `json:"connections"`
	Rounds      int        `json:"rounds"`
	Sent        int        `json:"sent"`
	Answers     int        `json:"answers"`
	Differ      int        `json:"differ"`
	Missing     int        `json:"missing"`
	Unexpected  int        `json:"unexpected"`
	Late        *lateTimes `json:"late_ms,omitempty"` // how much later than in the recording messages were sent
}

type lateTimes struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// difference is an answer that is not the recorded one.
type difference struct {
	Type     string          `json:"type"` // "differs", "missing" or "unexpected"
	Conn     uint32          `json:"conn"`
	Message  int             `json:"message"` // its number among those of the server in its connection
	Recorded json.RawMessage `json:"recorded,omitempty"`
	Got      json.RawMessage `json:"got,omitempty"`
}

// answer compares message n of a connection, from 0.
func (r *replay) answer(t *take, want []taken, n int, payload []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sum.Answers++
	d := &difference{Type: "unexpected", Conn: t.conn, Message: n + 1, Got: r.text(payload)}
	switch {
	case n >= len(want):
		r.sum.Unexpected++
	case bytes.Equal(want[n].payload, payload):
		return
	default:
		d.Type, d.Recorded = "differs", r.text(want[n].payload)
		if len(r.Ignore) > 0 && r.same(d.Recorded, d.Got) {
			return
		}
		r.sum.Differ++
	}
	r.tell(d)
}

// missing tells of what has not come, from message n on.
func (r *replay) missing(t *take, want []taken, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for ; n < len(want); n++ {
		r.sum.Missing++
		r.tell(&difference{Type: "missing", Conn: t.conn, Message: n + 1, Recorded: r.text(want[n].payload)})
	}
}

// text is what is shown of a payload.
func (r *replay) text(payload []byte) []byte {
	text, err := r.server.values.Decode(nil, payload)
	if err != nil {
		return value.Raw(nil, payload)
	}
	return text
}

// same reports whether two texts differ in fields only that may differ.
func (r *replay) same(a, b []byte) bool {
	return bytes.Equal(r.without(a), r.without(b))
}

// without returns a text without the fields that may differ. Keys come out in order, so two values
// that are equal have equal texts.
func (r *replay) without(text []byte) []byte {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return text
	}
	r.remove(v)
	b, err := json.Marshal(v)
	if err != nil {
		return text
	}
	return b
}

func (r *replay) remove(v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, part := range v {
			if slices.Contains(r.Ignore, key) {
				delete(v, key)
			} else {
				r.remove(part)
			}
		}
	case []any:
		for _, part := range v {
			r.remove(part)
		}
	}
}

// maxTold is how many differences are printed. All are counted.
const maxTold = 1000

// tell prints a difference. The caller holds mu.
func (r *replay) tell(d *difference) {
	switch told := r.sum.Differ + r.sum.Missing + r.sum.Unexpected; {
	case told > maxTold:
	case r.JSON:
		_ = printJSON(r.p.out, d)
	default:
		fmt.Fprintf(r.p.out, "connection %d, answer %d %s:", d.Conn, d.Message, map[string]string{"differs": "differs", "missing": "is missing", "unexpected": "was not expected"}[d.Type])
		for _, text := range [][]byte{d.Recorded, d.Got} {
			switch {
			case text == nil:
			case len(text) > maxShown:
				fmt.Fprintf(r.p.out, "\n  %s… (%d bytes in all)", cutText(text, maxShown), len(text))
			default:
				fmt.Fprintf(r.p.out, "\n  %s", text)
			}
		}
		fmt.Fprintln(r.p.out)
		if told == maxTold {
			fmt.Fprintln(r.p.out, "more are counted, and not printed")
		}
	}
}

// maxShown is how much of an answer that differs is printed, bytes.
const maxShown = 2048

// finish prints the summary. Its error is the exit code.
func (r *replay) finish(p *program, all *takes) error {
	r.sum.Type, r.sum.Connections, r.sum.Rounds = "summary", len(all.list), r.Loop
	if len(r.late) > 0 {
		slices.Sort(r.late)
		at := func(share float64) float64 { return inMS(r.late[min(int(share*float64(len(r.late))), len(r.late)-1)]) }
		r.sum.Late = &lateTimes{at(0.5), at(0.99), inMS(r.late[len(r.late)-1])}
	}
	if r.JSON {
		if err := printJSON(p.out, &r.sum); err != nil {
			return err
		}
	} else {
		var t table
		t.add("connections", "%d", r.sum.Connections*r.sum.Rounds)
		t.add("sent", "%d", r.sum.Sent)
		t.add("answers", "%d, of which %d differ; %d missing, %d not expected", r.sum.Answers, r.sum.Differ, r.sum.Missing, r.sum.Unexpected)
		if l := r.sum.Late; l != nil {
			ms := func(f float64) string { return inUnits(time.Duration(f * float64(time.Millisecond))) }
			t.add("late by", "p50 %s, p99 %s, at most %s", ms(l.P50), ms(l.P99), ms(l.Max))
		}
		t.print(p.out)
	}
	if r.sum.Differ+r.sum.Missing+r.sum.Unexpected > 0 {
		return silently(exitFound)
	}
	return nil
}
