package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/fb9bb4ed/qsocket/bench/peers"
)

// A meeting is the two sides of a contestant, connected for a workload.
type meeting struct {
	contestant     peers.Contestant
	w              workload
	server, client side
	apart          bool // in two processes
	limit          time.Duration
	base           [2]usage // of both, before all connections but one; for idle
	broken         bool     // something has failed, and left it in whatever state

	left func(broken bool) // called by leave, if not nil
}

// A sample is the outcome of one run.
type sample struct {
	Value      float64       // ns per message, or bytes
	Allocs     float64       // per message, by both sides
	Goroutines float64       // per end of connection; only of idle
	Elapsed    time.Duration // of all messages
	Latency    latency       // of metric latencies, of which Value is the P99
}

// meet connects the two sides, and has one message sent each way over every
// connection, which is not part of any measurement.
func meet(c peers.Contestant, w workload, server, client side, apart bool) (*meeting, error) {
	m := &meeting{contestant: c, w: w, server: server, client: client, apart: apart}
	m.limit = 20*time.Second + time.Duration(w.Conns)*10*time.Millisecond
	if err := m.connect(); err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

func (m *meeting) connect() error {
	listening := m.server.do(request{Op: "listen", Contestant: m.contestant.String(), Message: m.w.Message}, m.limit)
	if err := listening.err(); err != nil {
		return err
	}
	conns := m.w.Conns
	if m.w.idle() {
		// The first connection pays for what is there once in a process.
		if err := m.connectMore(listening.Addr, 1); err != nil {
			return err
		}
		m.base = m.usage()
		conns--
	}
	return m.connectMore(listening.Addr, conns)
}

func (m *meeting) connectMore(addr string, conns int) error {
	accept := request{Op: "accept", Conns: conns}
	dial := request{Op: "dial", Contestant: m.contestant.String(), Message: m.w.Message, Addr: addr, Conns: conns}
	if _, _, err := m.both(accept, dial, false); err != nil {
		return err
	}
	_, _, err := m.perform(task{Role: answer}, task{Role: hello}, false)
	return err
}

// perform has both sides do their tasks. The server of a request/response
// library has nothing to be told.
func (m *meeting) perform(server, client task, clientFirst bool) (s, c response, err error) {
	return m.both(request{Op: "start", Task: server}, request{Op: "start", Task: client}, clientFirst)
}

// both starts something on both sides, the one that holds the clock last, and
// waits until both are done.
func (m *meeting) both(toServer, toClient request, clientFirst bool) (s, c response, err error) {
	calls := []struct {
		name string
		side side
		req  request
		resp *response
	}{{"server", m.server, toServer, &s}, {"client", m.client, toClient, &c}}
	if clientFirst {
		calls[0], calls[1] = calls[1], calls[0]
	}
	if m.contestant.Calls && toServer.Op == "start" {
		calls = calls[1:]
	}
	for _, call := range calls {
		if err := call.side.do(call.req, m.limit).err(); err != nil {
			return s, c, fmt.Errorf("%s: %w", call.name, err)
		}
	}
	limit := m.limit
	for i := range calls {
		call := calls[len(calls)-1-i]
		*call.resp = call.side.do(request{Op: "wait"}, limit)
		if e := call.resp.err(); e != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", call.name, e))
			limit = 2 * time.Second // for the other side to say what it knows of it
		}
	}
	return s, c, err
}

// measure runs count messages after some that do not count. Those refill the
// pools that the collection of garbage has emptied, and open TCP's windows.
func (m *meeting) measure(count int) (sample, error) {
	if err := m.settle(); err != nil {
		return sample{}, err
	}
	if m.w.idle() {
		return m.idle()
	}
	if _, err := m.run(m.w.roundUp(count / 8)); err != nil {
		return sample{}, err
	}
	return m.run(count)
}

// settle collects the garbage of earlier runs, so that this one does not pay for it.
func (m *meeting) settle() error {
	for _, s := range m.processes() {
		if err := s.do(request{Op: "settle"}, m.limit).err(); err != nil {
			return err
		}
	}
	return nil
}

// run measures count messages, a multiple of those that go together.
func (m *meeting) run(count int) (sample, error) {
	atServer := m.w.Metric == serverTime
	server := task{Role: m.w.Server, Count: count, Senders: m.w.Senders, Mallocs: atServer || m.apart}
	client := task{Role: m.w.Client, Count: count, Senders: m.w.Senders, Rate: m.w.Rate, Mallocs: !atServer || m.apart}
	s, c, err := m.perform(server, client, atServer)
	if err != nil {
		m.broken = true
		return sample{}, err
	}
	n := float64(count)
	out := sample{Allocs: float64(s.Mallocs+c.Mallocs) / n, Elapsed: c.Elapsed}
	switch m.w.Metric {
	case meanAge:
		out.Value = float64(s.Age)
	case latencies:
		out.Value, out.Latency = c.Latency.P99, c.Latency
	case serverTime:
		out.Elapsed = s.Elapsed
		out.Value = float64(s.Elapsed) / n
	default:
		out.Value = float64(c.Elapsed) / n
	}
	return out, nil
}

// idle measures what the connections hold when nothing is going on.
func (m *meeting) idle() (sample, error) {
	if _, _, err := m.perform(task{Role: wait}, task{Role: wait}, false); err != nil {
		return sample{}, err
	}
	time.Sleep(100 * time.Millisecond) // there is no event for when the ends that have sent and received are idle
	now := m.usage()
	ends := float64(2 * (m.w.Conns - 1)) // without the first, see connect
	var out sample
	for i := range now {
		out.Value += (float64(now[i].Bytes) - float64(m.base[i].Bytes)) / ends
		out.Goroutines += float64(now[i].Goroutines-m.base[i].Goroutines) / ends
	}
	return out, nil
}

func (m *meeting) usage() (u [2]usage) {
	u[0] = m.server.do(request{Op: "usage"}, m.limit).usage
	u[1] = m.client.do(request{Op: "usage"}, m.limit).usage
	return u
}

// processes returns one side for each process.
func (m *meeting) processes() []side {
	if m.apart {
		return []side{m.server, m.client}
	}
	return []side{m.client}
}

// leave ends the meeting.
func (m *meeting) leave() {
	if m.close() != nil {
		m.broken = true
	}
	if m.left != nil {
		m.left(m.broken)
	}
}

// close ends the connections, those of the client first: that is the order in
// which servers expect it.
func (m *meeting) close() error {
	err := m.client.do(request{Op: "close"}, m.limit).err()
	return errors.Join(err, m.server.do(request{Op: "close"}, m.limit).err())
}

func (r response) err() error {
	if r.Error == "" {
		return nil
	}
	return errors.New(r.Error)
}
