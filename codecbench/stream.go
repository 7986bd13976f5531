package codecbench

import "errors"

// stream is the operation of sending one of many messages without answers.
// The clock stops when the last of them has been received and decoded. Both ends
// have to know which one that is, and so this counts to c.n instead of calling
// c.Loop.
func (s *subject[T]) stream(c clock) error {
	p, err := s.connect()
	if err != nil {
		return err
	}
	defer p.close()
	if err := p.warm(p.near, p.far); err != nil {
		return err
	}

	n := c.n()
	c.ResetTimer()
	received := make(chan error, 1)
	go func() { // ends after n messages, or when the connection does
		for range n {
			if err := receive(p.far); err != nil {
				p.abort()
				received <- err
				return
			}
		}
		received <- nil
	}()
	i := 0
	for range n {
		if err = send(p.near, s.samples[i]); err != nil {
			p.abort()
			break
		}
		i = s.next(i)
	}
	err = errors.Join(<-received, err)
	c.StopTimer()
	if err != nil {
		return s.errorf("stream: %w", err)
	}
	return nil
}
