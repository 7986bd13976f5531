package main

import (
	"sync"

	"github.com/fb9bb4ed/qsocket"
	"github.com/prometheus/client_golang/prometheus"
)

// Collector exports the counters of a Listener, and the sums of those of the
// Conns that it is told to watch. It keeps none of its own: it asks when it is
// scraped.
type Collector[T any] struct {
	ln *qsocket.Listener[T]

	mu    sync.Mutex // guards following
	conns map[*qsocket.Conn[T]]struct{}
	ended qsocket.Stats // sums over Conns that are watched no more
}

// NewCollector returns a Collector for ln.
func NewCollector[T any](ln *qsocket.Listener[T]) *Collector[T] {
	return &Collector[T]{ln: ln, conns: make(map[*qsocket.Conn[T]]struct{})}
}

// Watch adds conn to the sums. The function that it returns is to be called at
// the end of conn.
func (c *Collector[T]) Watch(conn *qsocket.Conn[T]) (end func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conns[conn] = struct{}{}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.conns, conn)
		add(&c.ended, conn.Stats())
		c.ended.SendBuffered = 0 // it is gone
	}
}

// add adds b to a.
func add(a *qsocket.Stats, b qsocket.Stats) {
	a.MessagesSent += b.MessagesSent
	a.MessagesReceived += b.MessagesReceived
	a.BytesSent += b.BytesSent
	a.BytesReceived += b.BytesReceived
	a.Flushes += b.Flushes
	a.Dropped += b.Dropped
	a.Unknown += b.Unknown
	a.SendBuffered += b.SendBuffered
}

// sums returns the sums over all Conns.
func (c *Collector[T]) sums() qsocket.Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.ended
	for conn := range c.conns {
		add(&s, conn.Stats())
	}
	return s
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("qsocket_"+name, help, labels, nil)
}

var (
	openDesc         = describe("connections_open", "Connections that have not ended.")
	handshakingDesc  = describe("handshakes_open", "Connections whose handshake is under way.")
	acceptedDesc     = describe("accepted_total", "Handshakes done.")
	refusedDesc      = describe("refused_total", "Handshakes failed, by cause.", "cause")
	acceptErrorsDesc = describe("accept_errors_total", "Errors of the net.Listener.")
	panicsDesc       = describe("panics_total", "Handlers that panicked.")
	messagesDesc     = describe("messages_total", "Messages, by direction.", "direction")
	bytesDesc        = describe("bytes_total", "Bytes of frames, by direction.", "direction")
	flushesDesc      = describe("flushes_total", "Writes to sockets.")
	droppedDesc      = describe("dropped_total", "Messages that a Group has skipped.")
	unknownDesc      = describe("unknown_total", "Messages of cases that this end does not know, dropped by SkipUnknown.")
	bufferedDesc     = describe("send_buffered_bytes", "Bytes accepted and not yet with the kernel.")
)

// Describe implements prometheus.Collector.
func (c *Collector[T]) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

// Collect implements prometheus.Collector.
func (c *Collector[T]) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v int) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v))
	}
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	l, s := c.ln.Stats(), c.sums()
	gauge(openDesc, l.Open)
	gauge(handshakingDesc, l.Handshaking)
	counter(acceptedDesc, l.Accepted)
	for cause, n := range c.ln.Refusals() {
		counter(refusedDesc, n, cause)
	}
	counter(acceptErrorsDesc, l.AcceptErrors)
	counter(panicsDesc, l.Panics)
	counter(messagesDesc, s.MessagesSent, "sent")
	counter(messagesDesc, s.MessagesReceived, "received")
	counter(bytesDesc, s.BytesSent, "sent")
	counter(bytesDesc, s.BytesReceived, "received")
	counter(flushesDesc, s.Flushes)
	counter(droppedDesc, s.Dropped)
	counter(unknownDesc, s.Unknown)
	gauge(bufferedDesc, s.SendBuffered)
}
