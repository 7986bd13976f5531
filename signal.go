package qsocket

// signal tells any number of waiters, once and for all, that something has
// happened. Its channel is made when somebody first waits: a Conn has several
// signals, and an idle one nobody who waits for them.
//
// The lock of its owner guards it, but for the waiting itself.
type signal struct {
	c     chan struct{}
	fired bool
}

// waitLocked returns the channel that is closed when the signal has fired.
func (s *signal) waitLocked() <-chan struct{} {
	if s.c == nil {
		s.c = make(chan struct{})
		if s.fired {
			close(s.c)
		}
	}
	return s.c
}

// fireLocked fires the signal, unless that has been done.
func (s *signal) fireLocked() {
	if s.fired {
		return
	}
	s.fired = true
	if s.c != nil {
		close(s.c)
	}
}
