package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/fb9bb4ed/qsocket/bench/peers"
)

// A runner measures contestants in interleaved rounds: in each round all of
// them do each workload, one after another and in an order that changes, so that
// what the machine does meanwhile hits all alike.
type runner struct {
	contestants []peers.Contestant
	workloads   []workload
	rounds      int
	target      time.Duration     // of a run
	apart       bool              // the server lives in a process of its own
	progress    func(what string) // called before each of steps

	server side           // the process of servers, kept from run to run; nil if it has to be started
	counts map[string]int // messages, by contestant and by Total
	cells  []*cell
}

// setbacks is how often a contestant may fail in a workload until it is excused
// from the rest of the rounds.
const setbacks = 2

// newRunner makes a cell for each contestant and workload that it can do. A
// workload of a series that is Charted is for those in its plot only.
func newRunner(contestants []peers.Contestant, workloads []workload) *runner {
	r := &runner{
		contestants: contestants, workloads: workloads,
		progress: func(string) {}, counts: make(map[string]int),
	}
	for _, w := range workloads {
		for _, c := range contestants {
			if (w.Calls || !c.Calls) && (!w.Charted || slices.Contains(charted, c.String())) {
				r.cells = append(r.cells, newCell(c, w))
			}
		}
	}
	return r
}

// steps returns how often run calls progress.
func (r *runner) steps() int { return len(r.cells) * (r.rounds + 1) }

// run measures. What fails is recorded in its cell, and the rest goes on.
func (r *runner) run() []*cell {
	defer r.dismiss()
	for _, c := range r.cells {
		r.progress(c.Workload + " " + c.Contestant + ", how many")
		if err := r.prepare(c); err != nil {
			c.fail(err)
		}
	}
	for round := range r.rounds {
		for _, c := range r.turn(round) {
			r.progress(c.Workload + " " + c.Contestant)
			if c.failures >= setbacks {
				continue
			}
			s, err := r.measure(c)
			if err != nil {
				c.fail(err)
				continue
			}
			c.add(s)
		}
	}
	for _, c := range r.cells {
		c.sum()
	}
	return r.cells
}

// turn returns the cells in the order of a round: workload by workload, the
// contestants shuffled. The same round is always in the same order.
func (r *runner) turn(round int) []*cell {
	random := rand.New(rand.NewPCG(1, uint64(round)))
	cells := make([]*cell, 0, len(r.cells))
	for _, w := range r.workloads {
		first := len(cells)
		for _, c := range r.cells {
			if c.Workload == w.Name {
				cells = append(cells, c)
			}
		}
		group := cells[first:]
		random.Shuffle(len(group), func(i, j int) { group[i], group[j] = group[j], group[i] })
	}
	return cells
}

// prepare sets the number of messages of c, which is that of its workload's
// Total where another has set that. Finding it out also warms everything up.
func (r *runner) prepare(c *cell) error {
	if most := maxConns(c.contestant, c.workload); c.workload.Conns > most {
		c.Note = fmt.Sprintf("with %d connections: the process may not open more files", most)
		c.workload.Conns = most
	}
	c.Conns = c.workload.Conns
	total := c.Contestant + "\n" + c.workload.Total
	if n := r.counts[total]; n > 0 && c.workload.Total != "" {
		c.Count = c.workload.roundUp(n)
		return nil
	}
	if c.workload.idle() {
		c.Count = 1
		return nil
	}
	m, err := r.meet(c)
	if err != nil {
		return err
	}
	defer m.leave()
	n, err := m.calibrate(r.target)
	if err != nil {
		return err
	}
	c.Count, r.counts[total] = n, n
	return nil
}

func (r *runner) measure(c *cell) (sample, error) {
	if c.Count == 0 { // its preparation has failed, perhaps by chance
		if err := r.prepare(c); err != nil {
			return sample{}, err
		}
	}
	m, err := r.meet(c)
	if err != nil {
		return sample{}, err
	}
	defer m.leave()
	return m.measure(c.Count)
}

// meet finds two sides for c, and connects them.
func (r *runner) meet(c *cell) (*meeting, error) {
	if c.workload.Apart {
		server, err := startChild()
		if err != nil {
			return nil, err
		}
		client, err := startChild()
		if err != nil {
			server.leave()
			return nil, err
		}
		m, err := meet(c.contestant, c.workload, server, client, true)
		if err != nil {
			server.leave()
			client.leave()
			return nil, err
		}
		m.left = func() { server.leave(); client.leave() }
		return m, nil
	}
	if !r.apart {
		return meet(c.contestant, c.workload, new(party), new(party), false)
	}
	if r.server == nil {
		server, err := startChild()
		if err != nil {
			return nil, err
		}
		r.server = server
	}
	m, err := meet(c.contestant, c.workload, r.server, new(party), true)
	if err != nil {
		r.dismiss() // whatever state it is in
		return nil, err
	}
	m.failed = r.dismiss
	return m, nil
}

// dismiss ends the process of servers. The next meeting starts another.
func (r *runner) dismiss() {
	if r.server != nil {
		r.server.leave()
		r.server = nil
	}
}
