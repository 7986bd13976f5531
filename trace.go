package qsocket

import (
	"encoding/binary"
	"sync/atomic"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/excerpt"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// Frame is what Options.Trace is told of a frame: everything but what is in it.
type Frame struct {
	Conn   uint64    // which connection it is: Conn.ID
	Out    bool      // sent, not received
	Kind   uint8     // 0: a message; otherwise the kind of a control frame, see docs/wire.md
	Size   int       // of the payload, bytes; of a control frame: what is behind its kind
	Tag    uint64    // the case of a Union, if HasTag
	HasTag bool      // it is a message, its codec is a Union, and the payload begins with a tag
	Time   time.Time // when Trace was called
}

// ID returns the number by which Options.Trace and the log tell c from others: from 1 on, in the
// order in which Conns with a Trace were made in this process, and 0 without a Trace.
func (c *Conn[T]) ID() uint64 {
	if t := c.link.Out.Tracer(); t != nil {
		return t.ID
	}
	return 0
}

// lastID is that of the last Conn with a Trace.
var lastID atomic.Uint64

// newTracer returns what makes Frames for Options.Trace, or nil.
func newTracer(set *settings) *wire.Tracer {
	if set.Trace == nil {
		return nil
	}
	t := &wire.Tracer{ID: lastID.Add(1)}
	var broken atomic.Bool
	t.Frame = func(out bool, kind byte, payload []byte) {
		if broken.Load() {
			return
		}
		defer func() {
			if r := recover(); r != nil { // the caller may hold a mutex
				broken.Store(true)
				set.Logger.Error("qsocket: Options.Trace panicked", "conn", t.ID, "panic", excerpt.Panic(r, excerpt.MaxText))
			}
		}()
		f := Frame{Conn: t.ID, Out: out, Kind: kind, Size: len(payload), Time: time.Now()}
		if set.tagged && kind == 0 {
			tag, n := binary.Uvarint(payload)
			if f.HasTag = n > 0; f.HasTag {
				f.Tag = tag
			}
		}
		set.Trace(f)
	}
	return t
}
