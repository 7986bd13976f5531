package main

import (
	"fmt"
	"slices"

	"github.com/fb9bb4ed/qsocket/bench/peers"
)

// A workload says what the two sides of a contestant do. The side that dials is
// the client.
type workload struct {
	Name  string // as in the tables: "W1"
	Title string // what it is, in a line

	Message peers.Message
	Conns   int
	Senders int // on each connection

	Client, Server role
	Metric         metric
	Calls          bool     // request/response libraries can do it, too
	Apart          bool     // both sides in fresh processes, for want of file descriptors in one
	Total          string   // workloads with the same Total send the same number of messages
	Only           []string // contestants; nil: all
	Rate           int      // messages a second, for role load

	Unit string // of the numbers in the tables: "ns", "µs" or "B"
}

// metric says what is measured.
type metric string

const (
	clientTime metric = "time per message"                                               // until the client has its acknowledgement
	serverTime metric = "time per delivery"                                              // until the server has all acknowledgements
	meanAge    metric = "mean time from Send to Recv"                                    // on the server
	latencies  metric = "percentiles of the time from when a message is due to its echo" // on the client
	idleBytes  metric = "heap and stacks per end of connection"                          // mean of both processes
)

// String is what -workload selects by.
func (w workload) String() string { return w.Name + " " + w.Title }

// beyondTCP are the workloads of contestants over another transport than TCP: all of them would take
// a run too long.
var beyondTCP = map[peers.Transport][]string{
	peers.TLS:     {"W1", "W2", "W3", "W5", "W6"},
	peers.Unix:    {"W3", "W6"},
	peers.Wrapper: {"W3", "W6"},
}

// takes reports whether a contestant does w.
func (w workload) takes(c peers.Contestant) bool {
	switch {
	case c.Calls && !w.Calls:
		return false
	case w.Only != nil && !slices.Contains(w.Only, c.String()):
		return false
	}
	return c.Over == peers.TCP || slices.Contains(beyondTCP[c.Over], w.Name)
}

// idle reports whether w measures memory and not messages.
func (w workload) idle() bool { return w.Metric == idleBytes }

const (
	fanOut     = 100
	idleConns  = 10_000
	perConn    = 10     // messages at least on each connection, or nothing would be a stream
	apartFrom  = 10_000 // connections from which on the sides live apart
	quickConns = 1_000  // the most with -quick
	quickIdle  = 300    // likewise, of idle ones
)

// workloads returns all of them. With quick, the series are shorter and the idle
// connections fewer.
func workloads(quick bool) []workload {
	stream := func(name, title string) workload {
		return workload{
			Name: name, Title: title, Conns: 1, Senders: 1,
			Client: source, Server: sink, Metric: clientTime, Unit: "ns",
		}
	}
	sized := func(name string, bytes int, unit string) workload {
		w := stream(name, "one sender, one way, a blob of "+name)
		w.Message.BlobSize, w.Unit = bytes, unit
		return w
	}
	senders := stream("W2", "16 senders, one connection, one way")
	senders.Senders = 16
	fresh := stream("new", "as W1, but with other strings in each message")
	fresh.Message.NewStrings = true
	both := workload{
		Name: "W4b", Title: "as W4, but with a goroutine for each direction", Conns: 1, Senders: 1,
		Client: pipeline, Server: echo, Metric: clientTime, Calls: true, Unit: "ns",
	}
	all := []workload{
		stream("W1", "one sender, one way"),
		senders,
		{
			Name: "W3", Title: "ping-pong", Conns: 1, Senders: 1,
			Client: ping, Server: echo, Metric: clientTime, Calls: true, Unit: "µs",
		},
		{
			Name: "W4", Title: fmt.Sprintf("echo, %d in flight", inFlight), Conns: 1, Senders: 1,
			Client: window, Server: echo, Metric: clientTime, Calls: true, Unit: "ns",
		},
		{
			Name: "W5", Title: fmt.Sprintf("one sender to %d connections, per delivery", fanOut), Conns: fanOut, Senders: 1,
			Client: sink, Server: hub, Metric: serverTime, Unit: "ns",
		},
		{
			Name: "W6", Title: fmt.Sprintf("one message every %v, mean one-way time", pause), Conns: 1, Senders: 1,
			Client: pace, Server: clock, Metric: meanAge, Unit: "µs",
		},
		sized("1K", 1<<10, "ns"),
		sized("64K", 64<<10, "µs"),
		sized("1M", 1<<20, "µs"),
		fresh,
		both,
	}

	counts, crowds := []int{1, 10, 100, 1_000, 10_000}, []int{1, 2, 4, 16, 64, 256}
	idlers := idleConns
	var only []string
	if quick {
		only = charted
		counts, crowds, idlers = []int{1, 100, quickConns}, []int{1, 16, 256}, quickIdle
	}
	for _, n := range counts {
		w := stream(fmt.Sprintf("conns=%d", n), "everybody streams, a fixed number of messages in all")
		w.Conns, w.Total, w.Apart = n, "conns", n >= apartFrom
		w.Only = only
		all = append(all, w)
	}
	for _, n := range crowds {
		w := stream(fmt.Sprintf("senders=%d", n), "on one connection, a fixed number of messages in all")
		w.Senders, w.Total, w.Only = n, "senders", only
		all = append(all, w)
	}
	for _, rate := range loadRates {
		all = append(all, workload{
			Name: fmt.Sprintf("load=%d", rate), Title: fmt.Sprintf("open loop, %s messages a second over %d connections, an echo of each", thousands(rate), loadConns),
			Conns: loadConns, Senders: 1,
			Client: load, Server: echo, Metric: latencies, Only: loaded, Rate: rate, Unit: "µs",
		})
	}
	return append(all, workload{
		Name: "idle", Title: "memory of an end of an idle connection",
		Conns: idlers, Senders: 1,
		Client: wait, Server: wait, Metric: idleBytes, Calls: true, Apart: true, Unit: "B",
	})
}
