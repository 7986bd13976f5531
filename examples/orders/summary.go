package main

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/fb9bb4ed/qsocket/examples/orders/market"
)

// counts are numbers of messages by kind.
type counts [market.NumKinds]int

func (c *counts) add(m market.Message) {
	if kind, ok := market.KindOf(m); ok {
		c[kind]++
	}
}

func (c *counts) addAll(other counts) {
	for kind, n := range other {
		c[kind] += n
	}
}

func (c *counts) total() int {
	n := 0
	for _, k := range c {
		n += k
	}
	return n
}

// problems lists what keeps the run of the gateway from being verified.
func (r *gatewayReport) problems() []string {
	var p []string
	for _, lost := range r.lost {
		p = append(p, "client "+lost)
	}
	answers := r.sent[market.KindAccepted] + r.sent[market.KindRejected]
	if orders := r.received[market.KindOrder]; answers != orders {
		p = append(p, fmt.Sprintf("%d answers sent to %d orders", answers, orders))
	}
	return p
}

// summary is the end of a run. What the process did not take part in is nil.
type summary struct {
	name    string // of the file
	file    *orderFile
	clients *clientReport
	gateway *gatewayReport
}

// problems is empty for a verified run.
func (s *summary) problems() []string {
	var p []string
	if s.clients != nil {
		p = append(p, s.clients.problems()...)
	}
	if s.gateway != nil {
		p = append(p, s.gateway.problems()...)
	}
	if c, g := s.clients, s.gateway; c != nil && g != nil {
		if c.sent != g.received || g.sent != c.received {
			p = append(p, "what one side sent is not what the other received")
		}
		if c.bought != g.matched {
			p = append(p, fmt.Sprintf("bought %d, matched %d", c.bought, g.matched))
		}
	}
	return p
}

// print writes the summary and reports whether the run is verified.
func (s *summary) print(w io.Writer) bool {
	if s.file != nil {
		fmt.Fprintf(w, "%-10s %s orders, %d skipped as wrong", s.name, comma(s.file.total()), len(s.file.skipped))
		if left := s.file.total() - s.clients.sent[market.KindOrder]; left > 0 {
			fmt.Fprintf(w, ", %s not sent before the end", comma(left))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w)
	s.printCounts(w)
	fmt.Fprintln(w)

	var messages int
	var elapsed time.Duration
	if g := s.gateway; g != nil {
		messages, elapsed = g.received.total()+g.sent.total(), g.last.Sub(g.first)
		fmt.Fprintf(w, "%-10s %s matched for %d clients\n", "quantity", comma(int(g.matched)), g.clients)
	}
	if c := s.clients; c != nil {
		messages, elapsed = c.sent.total()+c.received.total(), c.elapsed
		fmt.Fprintf(w, "%-10s %s bought, %s sold\n", "filled", comma(int(c.bought)), comma(int(c.sold)))
		fmt.Fprintf(w, "%-10s %s of %s orders exactly once, %s missing, %s duplicate\n", "answered",
			comma(c.once), comma(c.sent[market.KindOrder]), comma(c.missing), comma(c.duplicate))
	}
	if messages > 0 {
		fmt.Fprintf(w, "%-10s %s messages in %.2f s, %s messages/s\n", "speed",
			comma(messages), elapsed.Seconds(), comma(int(float64(messages)/elapsed.Seconds())))
	}
	problems := s.problems()
	for _, p := range problems {
		fmt.Fprintf(w, "%-10s %s\n", "PROBLEM", p)
	}
	if len(problems) == 0 {
		fmt.Fprintf(w, "%-10s ok\n", "verified")
	}
	return len(problems) == 0
}

// printCounts writes the table of messages: from clients to gateway the orders,
// back everything else.
func (s *summary) printCounts(w io.Writer) {
	const row = "%-10s %9s  %9s  %s\n"
	fmt.Fprintf(w, row, "message", "sent", "received", "direction")
	for kind := range market.NumKinds {
		sent, received := "-", "-" // where the other process knows
		c, g, way := s.clients, s.gateway, "gateway to clients"
		switch kind {
		case market.KindOrder:
			way = "clients to gateway"
			if c != nil {
				sent = comma(c.sent[kind])
			}
			if g != nil {
				received = comma(g.received[kind])
			}
		default:
			if g != nil {
				sent = comma(g.sent[kind])
			}
			if c != nil {
				received = comma(c.received[kind])
			}
		}
		if kind == market.KindPrice {
			way += ", the newest only"
		}
		fmt.Fprintf(w, row, kind, sent, received, way)
	}
}

// comma writes n with separators: 12,000.
func comma(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
