package xsync

// Signal tells any number of waiters, once and for all, that something has
// happened. Its channel is made by the first waiter: a connection has several
// signals, and an idle one has no waiters. The zero Signal is ready for use.
//
// A lock of its owner guards it, but for the waiting itself.
type Signal struct {
	c     chan struct{}
	fired bool
}

// WaitLocked returns the channel that is closed once the signal has fired.
func (s *Signal) WaitLocked() <-chan struct{} {
	if s.c == nil {
		s.c = make(chan struct{})
		if s.fired {
			close(s.c)
		}
	}
	return s.c
}

// FireLocked fires the signal; a second call has no effect.
func (s *Signal) FireLocked() {
	if s.fired {
		return
	}
	s.fired = true
	if s.c != nil {
		close(s.c)
	}
}

// FiredLocked reports whether the signal has fired.
func (s *Signal) FiredLocked() bool { return s.fired }
