// Package conversation says in words what two ends of a connection say to each other: each frame
// of docs/wire.md is an Event. It only listens, so it takes whatever comes: what it cannot decode
// it reports once for each direction, and then gives sizes.
package conversation

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/excerpt"
	"github.com/fb9bb4ed/qsocket/internal/schema"
	"github.com/fb9bb4ed/qsocket/internal/wire"

	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/frames"
	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/value"
)

// Side is who has said something: 0 the client, 1 the server.
type Side uint8

// String returns "client" or "server".
func (s Side) String() string { return [...]string{"client", "server"}[s&1] }

// Options say what is known beforehand.
type Options struct {
	Raw     bool // frames and nothing else
	Codec   string
	Framing wire.Framing

	// Types returns the description with this fingerprint, "" if it is not known. It may take its
	// time. nil: none is known.
	Types func(fingerprint string) string

	// Told is called with a description that an end has told, and its fingerprint. It may be nil.
	Told func(fingerprint, text string)

	// Keep is the longest frame that is decoded, bytes. Of a longer one there is the size.
	Keep int
}

// Event is one thing that was said. Its fields are those of the lines of JSON.
type Event struct {
	Conn    uint32          `json:"conn"`
	N       int             `json:"n,omitempty"` // number of the frame in its connection, of both directions, from 1
	Time    time.Time       `json:"time"`
	From    string          `json:"from,omitempty"` // "client" or "server"
	Type    string          `json:"type"`
	Size    uint64          `json:"size,omitempty"` // bytes on the wire, the header included
	Case    string          `json:"case,omitempty"`
	Message json.RawMessage `json:"message,omitempty"`
	Hello   *Hello          `json:"hello,omitempty"`
	Full    *bool           `json:"full,omitempty"` // of a goodbye: nothing is read any longer, either
	Reason  string          `json:"reason,omitempty"`
	Code    uint16          `json:"code,omitempty"`
	State   string          `json:"state,omitempty"` // of a session
	Count   *uint64         `json:"count,omitempty"` // messages taken, or frames skipped
	Text    string          `json:"text,omitempty"`  // a description
	Error   string          `json:"error,omitempty"` // why it is not decoded, or the connection broke
}

// Conversation is one connection.
type Conversation struct {
	conn  uint32
	opts  Options
	n     int
	sides [2]side
	out   func(*Event)
}

type side struct {
	split  *frames.Splitter
	hello  *wire.Hello
	told   []byte // of its description, as much as has come
	text   string // the whole description
	values *value.Codec
	lost   bool // its frames are not found any longer
}

// New begins a conversation. out gets what is said. It must not keep the Event.
func New(conn uint32, opts *Options, out func(*Event)) *Conversation {
	c := &Conversation{conn: conn, opts: *opts, out: out}
	for i := range c.sides {
		if opts.Raw {
			c.sides[i].split = frames.NewRaw(opts.Framing, opts.Keep)
		} else {
			c.sides[i].split = frames.New(opts.Keep)
		}
	}
	return c
}

// Say reports an event that is no frame.
func (c *Conversation) Say(e *Event) {
	e.Conn = c.conn
	c.out(e)
}

// Data takes what a side has sent.
func (c *Conversation) Data(from Side, b []byte, at time.Time) {
	s := &c.sides[from]
	e := Event{Conn: c.conn, Time: at, From: from.String()}
	if s.lost {
		e.Type, e.Size = "bytes", uint64(len(b))
		c.out(&e)
		return
	}
	done := 0
	err := s.split.Feed(b, func(f *frames.Frame, end int) {
		done = end
		c.n++
		event := e
		event.N, event.Size = c.n, f.Wire
		c.frame(from, f, &event)
		c.out(&event)
	})
	if err == nil {
		return
	}
	s.lost = true
	note := e
	note.Type, note.Error = "note", notDecoded(err)
	c.out(&note)
	e.Type, e.Size = "bytes", uint64(len(b)-done)
	c.out(&e)
}

// notDecoded says why a direction is not decoded.
func notDecoded(err error) string {
	var m *wire.Mismatch
	what := "this direction is not decoded from here: "
	if errors.Is(err, frames.ErrStranger) && errors.As(err, &m) {
		return what + "no hello of qsocket: " + shown(m.Peer)
	}
	return what + shown(err.Error())
}

// Skip tells that bytes of a side have not been seen, with the ends of so many frames. If joined, what comes
// next begins with a frame.
func (c *Conversation) Skip(from Side, bytes uint64, ends int, joined bool, at time.Time) {
	s := &c.sides[from]
	count := uint64(ends)
	c.n += ends
	if joined {
		s.split.Join()
	}
	if bytes == 0 {
		return
	}
	c.out(&Event{Conn: c.conn, Time: at, From: from.String(), Type: "skipped", Size: bytes, Count: &count,
		Error: "they came faster than they could be shown"})
}

// End tells that a side has ended, err being what broke the connection, or nil.
func (c *Conversation) End(from Side, err error, at time.Time) {
	e := Event{Conn: c.conn, Time: at, From: from.String(), Type: "end"}
	if err != nil {
		e.Type, e.Error = "broken", shown(err.Error())
	} else if s := &c.sides[from]; s.split.Open() {
		e.Error = "inside of a frame"
	}
	c.out(&e)
}

// frame fills in what a frame says.
func (c *Conversation) frame(from Side, f *frames.Frame, e *Event) {
	switch f.Kind {
	case frames.Hello:
		c.hello(from, f.Body, e)
	case frames.Control:
		c.control(from, f, e)
	default:
		c.message(from, f, e)
	}
}

func (c *Conversation) hello(from Side, body []byte, e *Event) {
	e.Type = "hello"
	h, err := wire.ParseHello(body)
	if err != nil {
		e.Error = shown(err.Error())
		return
	}
	c.sides[from].hello = h
	e.Hello = newHello(h)
}

// message decodes a message with the description of its sender, or by what it says of itself.
func (c *Conversation) message(from Side, f *frames.Frame, e *Event) {
	e.Type = "message"
	values := c.valuesOf(from)
	if f.Body == nil {
		e.Error = fmt.Sprintf("too large to be shown: %d bytes", f.Size)
		return
	}
	e.Case, _ = values.Case(f.Body)
	if !values.Decoded() {
		return // the size is all that there is to say
	}
	text, err := values.Decode(nil, f.Body)
	if err != nil {
		e.Error = shown(err.Error())
		bare, bareErr := value.New(values.Name(), nil)
		if bareErr == nil {
			text, err = bare.Decode(nil, f.Body)
		}
		if err != nil {
			text = value.Raw(nil, f.Body)
		}
	}
	e.Message = text
}

// valuesOf returns the codec for the messages of a side. Its own description is the right one; else
// there is that of its peer, which it has accepted.
func (c *Conversation) valuesOf(from Side) *value.Codec {
	s, peer := &c.sides[from], &c.sides[1-from]
	if s.values != nil {
		return s.values
	}
	codec := c.opts.Codec
	if s.hello != nil {
		codec = s.hello.Codec
	} else if peer.hello != nil {
		codec = peer.hello.Codec
	}
	for _, text := range []func() string{
		func() string { return s.text },
		func() string { return c.known(s) },
		func() string { return peer.text },
		func() string { return c.known(peer) },
	} {
		parsed, err := schema.Parse(text())
		if err != nil {
			continue
		}
		if values, err := value.New(codec, parsed); err == nil {
			s.values = values
			return values
		}
	}
	s.values, _ = value.New(codec, nil) // which never fails
	return s.values
}

// known returns the description that the hello of a side has the fingerprint of.
func (c *Conversation) known(s *side) string {
	if c.opts.Types == nil || s.hello == nil || s.hello.Types == "" {
		return ""
	}
	return c.opts.Types(s.hello.Types)
}

func shown(s string) string { return excerpt.Text(s, excerpt.MaxPart) }
