package main

import (
	"fmt"
	"math/rand/v2"
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
	apart       bool              // the two sides live in processes of their own
	progress    func(what string) // called before each of steps

	counts map[string]int   // messages, by contestant and by Total
	homes  map[string]*home // by contestant
	cells  []*cell
}

// setbacks is how often a contestant may fail in a workload until it is excused
// from the rest of the rounds.
const setbacks = 2

// newRunner makes a cell for each workload that a contestant takes.
func newRunner(contestants []peers.Contestant, workloads []workload) *runner {
	r := &runner{
		contestants: contestants, workloads: workloads,
		progress: func(string) {}, counts: make(map[string]int), homes: make(map[string]*home),
	}
	for _, w := range workloads {
		for _, c := range contestants {
			if w.takes(c) {
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

// meet connects the two sides of c.
func (r *runner) meet(c *cell) (*meeting, error) {
	h, left, err := r.home(c)
	if err != nil {
		return nil, err
	}
	m, err := h.meet(c)
	if err != nil {
		left(true)
		return nil, err
	}
	m.left = left
	return m, nil
}

// home returns where c is to be measured, and what to call afterwards. Each
// contestant has a process of its own, or two, so that nothing that others have left
// behind, in the heap or in the scheduler, is measured with it. They are kept from
// run to run, because the first second of a process is slower than the rest.
func (r *runner) home(c *cell) (h *home, left func(broken bool), err error) {
	if c.workload.Apart { // for room, and for memory that nothing else was in
		h, err = newHome(true)
		return h, func(bool) { h.leave() }, err
	}
	if h = r.homes[c.Contestant]; h == nil {
		if h, err = newHome(r.apart); err != nil {
			return nil, nil, err
		}
		r.homes[c.Contestant] = h
	}
	return h, func(broken bool) {
		if broken {
			r.abandon(c.Contestant)
		}
	}, nil
}

// abandon ends the processes of a contestant, whatever state they are in. Its next
// meeting starts others.
func (r *runner) abandon(contestant string) {
	if h := r.homes[contestant]; h != nil {
		h.leave()
		delete(r.homes, contestant)
	}
}

// dismiss ends all processes.
func (r *runner) dismiss() {
	for contestant := range r.homes {
		r.abandon(contestant)
	}
}

// A home is where the two sides of a contestant live: in one process, or each in
// its own.
type home struct{ server, client *child }

func newHome(apart bool) (*home, error) {
	server, err := startChild()
	if err != nil {
		return nil, err
	}
	h := &home{server, server}
	if !apart {
		return h, nil
	}
	if h.client, err = startChild(); err != nil {
		server.leave()
		return nil, err
	}
	return h, nil
}

func (h *home) apart() bool { return h.client != h.server }

func (h *home) meet(c *cell) (*meeting, error) {
	return meet(c.contestant, c.workload, h.server.side(serverSeat), h.client.side(clientSeat), h.apart())
}

func (h *home) leave() {
	h.server.leave()
	if h.apart() {
		h.client.leave()
	}
}
