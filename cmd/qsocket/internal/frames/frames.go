// Package frames cuts one direction of a connection into frames, wherever its bytes were cut
// when they came (docs/wire.md). It follows a stream that it can neither stop nor answer, so it
// is told each piece once, keeps no more of a frame than it is asked to, and gives up for good
// at what is no frame.
package frames

import (
	"errors"
	"fmt"

	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// Kind is what a frame is.
type Kind uint8

const (
	Message Kind = iota
	Control
	Hello
)

// Frame is one frame.
type Frame struct {
	Kind    Kind
	Control byte   // kind of a control frame
	Size    uint64 // of what is in it, bytes: of a control frame without the byte of its kind
	Wire    uint64 // of all of it, bytes
	Body    []byte // what is in it; valid until the next call; nil if there is more than was to be kept
}

// Splitter cuts a stream. The zero value begins with a hello or, if it sees none, with nothing
// that it knows; see New.
type Splitter struct {
	raw     bool
	framing wire.Framing
	keep    uint64

	state  state
	header []byte // as much as has come of one
	frame  Frame  // that has begun
	left   uint64 // bytes of it that have not come, the trailer included
	body   []byte // as much as has come of it, if it came in parts
	err    error
}

type state uint8

const (
	inHello  state = iota // before the map of the hello
	inHeader              // before a frame
	inBody                // in a frame, or in the map of the hello
)

// New returns a Splitter for a stream in named mode.
func New(keep int) *Splitter { return &Splitter{keep: uint64(keep)} }

// NewRaw returns a Splitter for a stream in raw mode.
func NewRaw(framing wire.Framing, keep int) *Splitter {
	return &Splitter{raw: true, framing: framing, keep: uint64(keep), state: inHeader}
}

// ErrStranger is the error for a stream in named mode that does not begin with a hello.
var ErrStranger = errors.New("no hello")

// Err returns why the Splitter has given up, nil if it has not.
func (s *Splitter) Err() error { return s.err }

// Raw reports whether the stream is in raw mode.
func (s *Splitter) Raw() bool { return s.raw }

// Open reports whether the stream is inside of a frame, or of the header of one.
func (s *Splitter) Open() bool { return s.err == nil && (s.state == inBody || len(s.header) > 0) }

// Join makes s go on at the beginning of a frame behind the hello: what was in between has been
// lost.
func (s *Splitter) Join() {
	s.state, s.header, s.body, s.left = inHeader, s.header[:0], nil, 0
}

// Feed takes the next piece of the stream. It calls emit for each frame that ends in it, with where
// in b it ends. After an error, it takes nothing any longer.
func (s *Splitter) Feed(b []byte, emit func(f *Frame, end int)) error {
	for at := 0; s.err == nil && at < len(b); {
		switch s.state {
		case inHello:
			at += s.hello(b[at:])
		case inHeader:
			at += s.begin(b[at:])
		case inBody:
			at += s.fill(b[at:])
		}
		if s.err == nil && s.state == inBody && s.left == 0 {
			s.end(emit, at)
		}
	}
	return s.err
}

// hello takes what stands before the map of a hello.
func (s *Splitter) hello(b []byte) int {
	n := min(len(b), wire.HelloHeaderSize-len(s.header))
	s.header = append(s.header, b[:n]...)
	if err := wire.CheckMagic(s.header); err != nil {
		s.err = fmt.Errorf("%w: %w", ErrStranger, err)
		return n
	}
	if len(s.header) < wire.HelloHeaderSize {
		return n
	}
	size, err := wire.HelloSize([wire.HelloHeaderSize]byte(s.header))
	if err != nil {
		s.err = err
		return n
	}
	s.open(Frame{Kind: Hello, Size: uint64(size), Wire: uint64(len(s.header) + size)})
	return n
}

// open begins what is in a frame.
func (s *Splitter) open(f Frame) {
	s.frame, s.left, s.state = f, f.Wire-uint64(len(s.header)), inBody
	s.header = s.header[:0]
}

// begin takes the header of a frame.
func (s *Splitter) begin(b []byte) int {
	had := len(s.header)
	n := min(len(b), wire.MaxHeader-had)
	s.header = append(s.header, b[:n]...)
	length, size, err := s.framing.ParseHeader(s.header)
	if err != nil {
		s.err = err
		return n
	}
	if length == 0 { // it goes on in the next piece
		return n
	}
	s.header = s.header[:length]
	switch control := size&wire.ControlBit != 0 && !s.raw; {
	case control && (size == wire.ControlBit || size&^wire.ControlBit > wire.MaxControl):
		s.err = fmt.Errorf("control frame of %d bytes, want 1 to %d", size&^wire.ControlBit, wire.MaxControl)
	case control:
		size &^= wire.ControlBit
		s.open(Frame{Kind: Control, Size: size - 1, Wire: uint64(length) + size})
	default:
		s.open(Frame{Kind: Message, Size: size, Wire: uint64(length) + size + uint64(s.framing.TrailerSize())})
	}
	return length - had
}

// fill takes what is in a frame.
func (s *Splitter) fill(b []byte) int {
	n := int(min(uint64(len(b)), s.left))
	whole := len(s.body) == 0 && uint64(n) == s.left // it need not be copied
	s.left -= uint64(n)
	switch {
	case s.frame.Size > s.keep && s.frame.Kind == Message:
		if s.framing == wire.Netstring && s.left == 0 {
			s.check(b[n-1 : n])
		}
	case whole:
		s.finish(b[:n])
	default:
		s.body = append(s.body, b[:n]...)
		if s.left == 0 {
			s.finish(s.body)
		}
	}
	return n
}

func (s *Splitter) check(trailer []byte) {
	if err := s.framing.CheckTrailer(trailer); err != nil {
		s.err = err
	}
}

// finish takes apart what stands behind the header of a frame.
func (s *Splitter) finish(b []byte) {
	switch {
	case s.frame.Kind == Control:
		s.frame.Control, b = b[0], b[1:]
	case s.frame.Kind == Message && s.framing.TrailerSize() > 0:
		s.check(b[len(b)-1:])
		b = b[:len(b)-1]
	}
	if b == nil {
		b = []byte{}
	}
	s.frame.Body = b
}

// end hands out a frame that has come.
func (s *Splitter) end(emit func(*Frame, int), at int) {
	if s.frame.Size == 0 && s.frame.Body == nil && s.frame.Kind != Control { // there was nothing to fill
		s.frame.Body = []byte{}
	}
	emit(&s.frame, at)
	s.state = inHeader
	if cap(s.body) > 64<<10 {
		s.body = nil // one large frame does not keep its memory
	}
	s.body = s.body[:0]
	s.frame = Frame{}
}

// Begun reports whether the hello is over, if there is one: what follows can be joined.
func (s *Splitter) Begun() bool {
	return s.raw || s.state == inHeader || s.state == inBody && s.frame.Kind != Hello
}
