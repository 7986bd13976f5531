package xsync

// Signal tells any number of waiters, once and for all, that something has
// happened. Its channel is made by the first waiter: a connection has several
// signals, and an idle one has no waiters. The zero Signal is ready for use, and is one
// word.
//
// A lock of its owner guards it, but for the waiting itself.
type Signal struct {
	c chan struct{} // nil: not fired, and no waiters; closed: fired
}

// fired is the channel of a Signal that was fired before there were waiters.
var fired = make(chan struct{})

func init() { close(fired) }

// WaitLocked returns the channel that is closed when the signal has fired.
func (s *Signal) WaitLocked() <-chan struct{} {
	if s.c == nil {
		s.c = make(chan struct{})
	}
	return s.c
}

// FireLocked fires the signal; a second call has no effect.
func (s *Signal) FireLocked() {
	if s.c == nil {
		s.c = fired
		return
	}
	select {
	case <-s.c: // nothing is ever sent on it, so it is closed
	default:
		close(s.c)
	}
}
