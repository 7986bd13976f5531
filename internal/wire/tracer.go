package wire

// Tracer is told of each frame of a connection, in order for each direction. A nil Tracer is
// told nothing; callers ask for that first, because it is nearly always so.
type Tracer struct {
	ID    uint64
	Frame func(out bool, kind byte, payload []byte) // kind is 0 for a message, whose payload is lent
}

// Sent traces a whole frame that is about to be written.
func (t *Tracer) Sent(f Framing, frame []byte) {
	header, size, err := f.ParseHeader(frame)
	if err != nil || header == 0 {
		return // it is a frame of our own
	}
	t.Frame(true, 0, frame[header:header+int(size)])
}

// Control traces a control frame, from its kind on.
func (t *Tracer) Control(out bool, frame []byte) { t.Frame(out, frame[0], frame[1:]) }
