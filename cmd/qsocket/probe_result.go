package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/greet"
)

// What is timed.
const (
	connectTime = iota
	helloTime
	confirmTime
	numTimes
)

var timeNames = [numTimes]string{"connect", "hello", "confirm"}

// probeResult is what a probe has found, and what --json prints.
type probeResult struct {
	Address   string            `json:"address"`
	Well      bool              `json:"well"`
	Error     string            `json:"error,omitempty"`
	Raw       bool              `json:"raw,omitempty"`
	Framing   string            `json:"framing,omitempty"`
	Protocol  string            `json:"protocol,omitempty"`
	Codec     string            `json:"codec,omitempty"`
	MaxFrame  uint64            `json:"maxFrame,omitempty"`
	Heartbeat uint64            `json:"heartbeatMs,omitempty"`
	Types     string            `json:"types,omitempty"` // the fingerprint
	Schema    string            `json:"schema,omitempty"`
	Admits    bool              `json:"admits,omitempty"`
	Sessions  *sessionReport    `json:"sessions,omitempty"`
	Attr      map[string]string `json:"attributes,omitempty"`
	GoingAway string            `json:"goingAway,omitempty"`
	TLS       *tlsReport        `json:"tls,omitempty"`
	Confirmed bool              `json:"confirmed"`
	Samples   int               `json:"samples,omitempty"`
	Times     map[string]spread `json:"timesMs,omitempty"`

	unconfirmed time.Duration
	times       [numTimes][]time.Duration
}

// sessionReport is what a server with sessions tells of them.
type sessionReport struct {
	Expiry uint64 `json:"expiryMs"`
	Keep   uint64 `json:"keep"`
}

// spread is how long something has taken, over all samples, ms.
type spread struct {
	Min float64 `json:"min"`
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// newSpread sorts times, which are not none.
func newSpread(times []time.Duration) spread {
	slices.Sort(times)
	at := func(q float64) float64 { return inMS(percentile(times, q)) }
	return spread{at(0), at(0.5), at(0.9), at(0.99), at(1)}
}

// percentile returns the time that a share q of the sorted times does not exceed.
func percentile(sorted []time.Duration, q float64) time.Duration {
	return sorted[max(0, int(float64(len(sorted))*q+0.999999)-1)]
}

// tlsReport is what is known of a connection over TLS.
type tlsReport struct {
	Version string    `json:"version"`
	Cipher  string    `json:"cipher"`
	Subject string    `json:"subject"`
	Expires time.Time `json:"expires"`
}

func newTLSReport(s tls.ConnectionState) *tlsReport {
	r := &tlsReport{Version: tls.VersionName(s.Version), Cipher: tls.CipherSuiteName(s.CipherSuite)}
	if len(s.PeerCertificates) > 0 {
		r.Subject, r.Expires = s.PeerCertificates[0].Subject.String(), s.PeerCertificates[0].NotAfter
	}
	return r
}

// heard notes what the hello says. The first one counts.
func (r *probeResult) heard(peer *greet.Peer) {
	h := peer.Hello
	if r.Protocol != "" {
		return
	}
	r.Protocol, r.Codec, r.MaxFrame, r.Heartbeat = h.Proto, h.Codec, *h.Max, h.Beat
	r.Types, r.Schema = h.Types, peer.Text
	r.Admits, r.Attr = h.Admits, h.Attr
	if h.Expiry > 0 {
		r.Sessions = &sessionReport{Expiry: h.Expiry, Keep: h.Keep}
	}
}

// finish sums up.
func (r *probeResult) finish(err error) {
	if err != nil {
		r.Well, r.Error = false, plain(err)
	}
	r.Samples = len(r.times[connectTime])
	r.Confirmed = len(r.times[confirmTime]) > 0
	r.Times = make(map[string]spread)
	for i, times := range r.times {
		if len(times) > 0 {
			r.Times[timeNames[i]] = newSpread(times)
		}
	}
}

// print prints the result for people.
func (r *probeResult) print(w io.Writer, c *probeCommand) {
	var t table
	switch {
	case r.Raw:
		t.add("protocol", "raw mode, as the options say: framing %s, codec %s", r.Framing, orUnknown(r.Codec))
	case r.Protocol == "": // nothing was heard
		return
	default:
		t.add("protocol", "%s", shown(r.Protocol))
		t.add("codec", "%s", shown(r.Codec))
		t.add("messages", "of at most %s", inBytes(r.MaxFrame))
		if r.Heartbeat > 0 {
			t.add("heartbeats", "every %v", time.Duration(min(r.Heartbeat, 1<<40))*time.Millisecond)
		} else {
			t.add("heartbeats", "none wanted")
		}
	}
	if r.Sessions != nil {
		t.add("sessions", "a lost one is kept for %v", time.Duration(min(r.Sessions.Expiry, 1<<40))*time.Millisecond)
	}
	if r.Admits && r.Error == "" { // a full server says so as well
		t.add("admission", "it looks at who comes")
	}
	for _, key := range slices.Sorted(maps.Keys(r.Attr)) {
		t.add("attribute", "%s=%s", shown(key), shown(r.Attr[key]))
	}
	if r.TLS != nil {
		t.add("tls", "%s, %s; certificate of %s, until %s", r.TLS.Version, r.TLS.Cipher, shown(r.TLS.Subject), r.TLS.Expires.UTC().Format(time.DateOnly))
	}
	if r.GoingAway != "" {
		t.add("going away", "%s", shown(r.GoingAway))
	}
	switch {
	case r.Raw:
	case r.Types == "":
		t.add("types", "not told")
	default:
		t.add("types", "%s", r.Types)
	}
	for i, times := range r.times {
		switch {
		case c.Samples > 1:
		case len(times) > 0:
			t.add(timeNames[i], "%s", inUnits(times[0]))
		case i == confirmTime && r.unconfirmed > 0:
			t.add(timeNames[i], "none within %v: its program does not read what clients send", r.unconfirmed)
		}
	}
	t.print(w)
	if r.Schema != "" && c.Samples == 1 {
		fmt.Fprintln(w)
		printText(w, "  ", r.Schema)
	}
	if c.Samples > 1 {
		fmt.Fprintf(w, "\n%-8s %9s %9s %9s %9s %9s   of %d\n", "", "min", "p50", "p90", "p99", "max", r.Samples)
		for i, times := range r.times {
			if len(times) == 0 {
				continue
			}
			fmt.Fprintf(w, "%-8s", timeNames[i])
			for _, q := range []float64{0, 0.5, 0.9, 0.99, 1} {
				fmt.Fprintf(w, " %9s", inUnits(percentile(times, q)))
			}
			fmt.Fprintln(w)
		}
	}
}

func orUnknown(s string) string {
	if s == "" {
		return "not known"
	}
	return shown(s)
}
