// Package xsync has two things that package sync lacks: a lock whose waiters can
// give up, and a signal that is fired once and costs nothing while it is not waited
// for.
package xsync

import "sync/atomic"

// Mutex is a lock whose waiters can give up, since they wait in a select of their
// own:
//
//	m.AddWaiter()
//	defer m.RemoveWaiter()
//	for !m.TryLock() {
//		select {
//		case <-m.Wake():
//		case <-ctx.Done():
//			return ctx.Err()
//		}
//	}
//
// Without waiters, locking and unlocking cost an atomic operation each, less than
// half of what a channel of capacity 1 costs. Init must be called before use.
type Mutex struct {
	held    atomic.Bool
	waiting atomic.Int32  // between AddWaiter and RemoveWaiter
	wake    chan struct{} // capacity 1: a hint to try again
}

// Init makes m ready for use.
func (m *Mutex) Init() { m.wake = make(chan struct{}, 1) }

// TryLock takes the lock if it is free.
func (m *Mutex) TryLock() bool { return m.held.CompareAndSwap(false, true) }

// AddWaiter announces a waiter, which tries once more before it waits, and calls
// RemoveWaiter when it has the lock or gives up.
func (m *Mutex) AddWaiter() { m.waiting.Add(1) }

// RemoveWaiter takes back AddWaiter. It passes on a hint that this waiter may have
// received in place of another.
func (m *Mutex) RemoveWaiter() {
	if m.waiting.Add(-1) > 0 && !m.held.Load() {
		m.signalOne()
	}
}

// Wake returns the channel on which a waiter gets the hint that the lock may be free.
func (m *Mutex) Wake() <-chan struct{} { return m.wake }

// Lock waits for the lock for as long as it takes.
func (m *Mutex) Lock() {
	m.AddWaiter()
	for !m.TryLock() {
		<-m.wake
	}
	m.RemoveWaiter()
}

// Unlock frees the lock. Either it sees a waiter, or the waiter sees that the lock is
// free: each writes its own word before it reads the other's.
func (m *Mutex) Unlock() {
	m.held.Store(false)
	if m.waiting.Load() > 0 {
		m.signalOne()
	}
}

func (m *Mutex) signalOne() {
	select {
	case m.wake <- struct{}{}:
	default: // one is on its way already
	}
}
