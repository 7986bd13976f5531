package codecbench

import "errors"

// roundTrip is the operation of sending a message and receiving the answer to
// it, which is as long.
func (s *subject[T]) roundTrip(c clock) error {
	p, err := s.connect()
	if err != nil {
		return err
	}
	defer p.close()
	if err := errors.Join(p.warm(p.near, p.far), p.warm(p.far, p.near)); err != nil {
		return err
	}

	answered := make(chan error, 1)
	go func() { // ends when the connection does, with why in answered
		// The answers are the samples and not what arrived: what a codec
		// returns need not be something that it can send.
		var err error
		for i := 0; err == nil; i = s.next(i) {
			if err = receive(p.far); err == nil {
				err = send(p.far, s.samples[i])
			}
		}
		p.abort()
		answered <- err
	}()

	for i := 0; c.Loop(); i = s.next(i) {
		if err = send(p.near, s.samples[i]); err == nil {
			err = receive(p.near)
		}
		if err != nil {
			p.abort()
			return s.errorf("round trip: %w", errors.Join(err, <-answered))
		}
	}
	p.abort()
	<-answered
	return nil
}
