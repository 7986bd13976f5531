package main

import (
	"github.com/fb9bb4ed/qsocket"
	"github.com/prometheus/client_golang/prometheus"
)

// Collector exports the counters of a Listener, and the sums of those of its Conns. It keeps
// none of its own: it asks when it is scraped.
type Collector[T any] struct{ ln *qsocket.Listener[T] }

// NewCollector returns a Collector for ln.
func NewCollector[T any](ln *qsocket.Listener[T]) *Collector[T] { return &Collector[T]{ln} }

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
	sessionsDesc     = describe("sessions_open", "Sessions that have not ended, with a connection or without.")
	resumesDesc      = describe("session_resumes_total", "Connections that sessions have lost and made again.")
	replayedDesc     = describe("session_replayed_total", "Messages that sessions have sent again.")
	downDesc         = describe("session_down_seconds_total", "Time that sessions have been without a connection, seconds.")
	unackedDesc      = describe("session_unacknowledged_bytes", "Bytes of messages that sessions hold for their peers.")
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
	l, s := c.ln.Stats(), c.ln.Totals()
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
	gauge(sessionsDesc, l.Sessions)
	counter(resumesDesc, s.Resumes)
	counter(replayedDesc, s.Replayed)
	ch <- prometheus.MustNewConstMetric(downDesc, prometheus.CounterValue, s.Down.Seconds())
	gauge(unackedDesc, s.Unacknowledged)
}
