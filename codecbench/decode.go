package codecbench

import "github.com/fb9bb4ed/qsocket"

// decode is the operation of making a message of a payload.
func (s *subject[T]) decode(c clock) error {
	enc, dec, err := s.ends()
	if err != nil {
		return err
	}
	f := &feed[T]{subject: s, enc: enc}
	for range s.warmup() {
		if err := f.decodeNext(c, dec); err != nil {
			return err
		}
	}
	for c.Loop() {
		if err := f.decodeNext(c, dec); err != nil {
			return err
		}
	}
	return nil
}

// A feed is the payloads that a decoder gets, as one encoder makes them. Those
// of a codec without state can be decoded any number of times. A stream with
// state has to go on, because a payload may make sense only after the one before
// it: it is encoded in portions, outside of the clock.
type feed[T any] struct {
	*subject[T]
	enc    qsocket.Encoder[T]
	sample int // the next one to be encoded

	buf  []byte // payloads, one after the other
	ends []int  // where in buf each of them ends
	used int    // how many of them have been decoded
}

// A portion ends with whichever comes first: large enough for the interruption
// not to matter, and small enough for a cache to hold it.
const (
	portionMessages = 1024
	portionBytes    = 128 << 10
)

func (f *feed[T]) decodeNext(c clock, dec qsocket.Decoder[T]) error {
	if f.used == len(f.ends) {
		f.used = 0
		if !f.stateless || len(f.ends) == 0 {
			c.StopTimer()
			err := f.refill()
			c.StartTimer()
			if err != nil {
				return err
			}
		}
	}
	start := 0
	if f.used > 0 {
		start = f.ends[f.used-1]
	}
	end := f.ends[f.used]
	f.used++
	if _, err := dec.Decode(f.buf[start:end:end]); err != nil {
		return f.errorf("decode: %w", err)
	}
	return nil
}

// refill encodes the next portion, which for a codec without state is all the
// samples.
func (f *feed[T]) refill() error {
	f.buf, f.ends = f.buf[:0], f.ends[:0]
	full := func() bool {
		if f.stateless {
			return len(f.ends) == len(f.samples)
		}
		return len(f.ends) == portionMessages || len(f.buf) >= portionBytes
	}
	for !full() {
		buf, err := f.enc.Append(f.buf, f.samples[f.sample])
		if err != nil {
			return f.errorf("encode: %w", err)
		}
		f.buf, f.ends, f.sample = buf, append(f.ends, len(buf)), f.next(f.sample)
	}
	return nil
}
