package codecbench

// encode is the operation of appending a message to a buffer that is used again.
func (s *subject[T]) encode(c clock) error {
	enc, _, err := s.ends()
	if err != nil {
		return err
	}
	buf := make([]byte, header)
	i := 0
	for range s.warmup() {
		if buf, err = enc.Append(buf[:header], s.samples[i]); err != nil {
			return s.errorf("encode: %w", err)
		}
		i = s.next(i)
	}
	for c.Loop() {
		if buf, err = enc.Append(buf[:header], s.samples[i]); err != nil {
			return s.errorf("encode: %w", err)
		}
		i = s.next(i)
	}
	return nil
}

// warmup returns how many messages precede those that are measured: as many as
// it takes for a codec with state to have told its peer everything that is told
// only once, such as the types of gob.
func (s *subject[T]) warmup() int {
	if s.stateless {
		return 1
	}
	return len(s.samples)
}
