package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/wire"

	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/frames"
	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/recording"
)

// take is one connection of a recording.
type take struct {
	conn  uint32
	open  time.Time
	sides [2]takeSide
}

// takeSide is what one side of it has sent.
type takeSide struct {
	hello    *wire.Hello
	messages []taken
	done     time.Time // when it said that no more would come; zero: it did not
	err      error     // why not all of it is decoded

	split *frames.Splitter
}

// taken is a message with the time at which it was there.
type taken struct {
	at      time.Time
	payload []byte
}

// takes are the connections of a recording, in the order in which they began.
type takes struct {
	about recording.About
	list  []*take
	cut   error // the recording ends early
}

// readTakes reads a recording. All its messages are kept in memory.
func readTakes(path string) (*takes, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := recording.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	all := &takes{about: r.About}
	framing, raw := wire.Uint32, r.About.Framing != ""
	for f := range wire.NumFramings {
		if strings.EqualFold(f.String(), r.About.Framing) {
			framing = f
		}
	}
	byConn := make(map[uint32]*take)
	for {
		e, err := r.Next()
		if err == io.EOF {
			return all, nil
		}
		if errors.Is(err, recording.ErrCut) {
			all.cut = fmt.Errorf("%s: %w", path, err)
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if e.Kind == recording.Open && byConn[e.Conn] == nil {
			t := &take{conn: e.Conn, open: e.Time}
			for i := range t.sides {
				if t.sides[i].split = frames.New(talkFrame); raw {
					t.sides[i].split = frames.NewRaw(framing, talkFrame)
				}
			}
			byConn[e.Conn] = t
			all.list = append(all.list, t)
		}
		if t := byConn[e.Conn]; t != nil {
			t.sides[e.From].take(e)
		}
	}
}

// take takes in an entry.
func (s *takeSide) take(e *recording.Entry) {
	switch e.Kind {
	case recording.Data:
		if s.err == nil {
			s.err = s.split.Feed(e.Data, func(f *frames.Frame, _ int) { s.frame(f, e.Time) })
		}
	case recording.End:
		if s.done.IsZero() && len(e.Data) == 0 {
			s.done = e.Time
		}
	}
}

func (s *takeSide) frame(f *frames.Frame, at time.Time) {
	switch {
	case f.Kind == frames.Hello:
		s.hello, _ = wire.ParseHello(f.Body)
	case f.Kind == frames.Control:
		if f.Control == wire.KindGoodbye && s.done.IsZero() {
			s.done = at
		}
	case f.Body == nil:
		s.err = fmt.Errorf("a message of %d bytes, want at most %d", f.Size, talkFrame)
	default:
		s.messages = append(s.messages, taken{at, bytes.Clone(f.Body)})
	}
}

// codec returns the codec of the connections, "" if none has said it.
func (t *takes) codec() string {
	for _, one := range t.list {
		for i := range one.sides {
			if h := one.sides[i].hello; h != nil {
				return h.Codec
			}
		}
	}
	return t.about.Codec
}

// pick keeps the connections with these numbers, all if there are none.
func (t *takes) pick(conns []uint32) error {
	for _, n := range conns {
		if !slices.ContainsFunc(t.list, func(one *take) bool { return one.conn == n }) {
			return fmt.Errorf("no connection %d in the recording, which has %s", n, t.numbers())
		}
	}
	if len(conns) > 0 {
		t.list = slices.DeleteFunc(t.list, func(one *take) bool { return !slices.Contains(conns, one.conn) })
	}
	return nil
}

func (t *takes) numbers() string {
	var list []string
	for _, one := range t.list[:min(len(t.list), 12)] {
		list = append(list, fmt.Sprint(one.conn))
	}
	switch {
	case len(t.list) == 0:
		return "none"
	case len(t.list) > 12:
		return strings.Join(list, ", ") + fmt.Sprintf(" and %d more", len(t.list)-12)
	}
	return strings.Join(list, ", ")
}
