// Package peers holds the contestants of the benchmark: ways to send messages
// between the two ends of a connection, each as a user of that library would
// write it.
//
// All of them carry the same payloads (see Message), encoded while the clock
// runs, and each may be as clever as its public API and documentation allow:
// encoders and decoders are reused, buffers are pooled where the library can.
package peers

import (
	"context"
	"fmt"
	"slices"
)

// A Contestant is one way to carry messages.
type Contestant struct {
	Name  string // the library and how it is used: "qsocket pull", "grpc-go stream"
	Codec string // "none", "msgpack", "gob"
	Over  Transport

	// Note says in what its guarantees differ from the others', in a sentence
	// that the tables show; empty if in nothing.
	Note string

	// Calls marks request/response libraries: their server answers every
	// message by itself, and Accept is not called. They run ping-pong and
	// echo only.
	Calls bool

	// Background marks libraries that receive by themselves: an idle end needs
	// no goroutine in Recv to learn of a message.
	Background bool

	// Files is the number of file descriptors that a connection takes in the
	// server's process, if more than one.
	Files int

	// Listen starts the server end on a free address of this machine.
	Listen func(m Message) (Server, error)

	// Dial connects to what Server.Addr returned, possibly in another process.
	Dial func(ctx context.Context, addr string, m Message) (End, error)
}

// String returns the name by which the contestant is selected and reported:
// "qsocket pull/msgpack", "qsocket pull/msgpack over tls".
func (c Contestant) String() string { return Over(c.Name+"/"+c.Codec, c.Over) }

// Over returns the name over another transport of what is called name over TCP.
func Over(name string, t Transport) string {
	if t == TCP {
		return name
	}
	return name + " over " + string(t)
}

// A Server is the listening end.
type Server interface {
	// Addr is what Dial is to be given.
	Addr() string

	// Accept returns the server's end of the next connection.
	Accept() (End, error)

	// Close stops the server and ends all its connections.
	Close() error
}

// An End is one end of a connection that carries messages both ways.
type End interface {
	Sender

	// Recv waits for the next message, decodes it and returns its timestamp.
	// One goroutine at a time calls it.
	Recv() (stamp int64, err error)

	// Pending reports whether Recv would return without waiting. An echo
	// server flushes when it does not; where Flush does nothing, Pending may
	// always be false.
	Pending() bool

	// Close ends the connection, hard if that is quicker, and unblocks Recv
	// and Send.
	Close() error
}

// A Sender sends messages. Any number of goroutines may call Send.
type Sender interface {
	// Send encodes the message with that timestamp (see Message) and sends
	// it, or leaves it to Flush if the contestant is one that batches by hand.
	Send(stamp int64) error

	// Flush sends what Send has kept back. Where Send needs no help, it does
	// nothing.
	Flush() error
}

// Grouper is implemented by a Server that has a way of its own to send one
// message to many. Without it, fan-out is a loop over the ends.
type Grouper interface {
	// Group returns a Sender to all ends. One goroutine uses it.
	Group(ends []End) (Sender, error)
}

// All returns the contestants, in the order of the tables.
func All() []Contestant {
	var all []Contestant
	for _, list := range families {
		all = append(all, list()...)
	}
	slices.SortStableFunc(all, func(a, b Contestant) int {
		return slices.Index(Transports, a.Over) - slices.Index(Transports, b.Over)
	})
	seen := make(map[string]bool)
	for _, c := range all {
		if seen[c.String()] {
			panic(fmt.Sprintf("two contestants are called %q", c))
		}
		seen[c.String()] = true
	}
	return all
}

// families is one function per file of this package.
var families = []func() []Contestant{
	rawContestants,
	qsocketContestants,
	sessionContestants,
	byhandContestants,
	netrpcContestants,
	grpcContestants,
	connectContestants,
	drpcContestants,
	yamuxContestants,
	coderContestants,
	gorillaContestants,
	natsContestants,
	zmqContestants,
}
