package xsync_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/xsync"
)

// One holder at a time, whichever way it got the lock, and none waits for ever.
func TestMutex(t *testing.T) {
	var m xsync.Mutex
	m.Init()
	var holders, most atomic.Int32
	hold := func() {
		n := holders.Add(1)
		if n > most.Load() {
			most.Store(n)
		}
		holders.Add(-1)
		m.Unlock()
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 2000 {
				if i%2 == 0 {
					m.Lock()
				} else {
					m.AddWaiter()
					for !m.TryLock() {
						<-m.Wake()
					}
					m.RemoveWaiter()
				}
				hold()
			}
		})
	}
	wg.Wait()
	if most.Load() != 1 {
		t.Errorf("%d holders at a time, want 1", most.Load())
	}
}

// A waiter that gives up passes on the hint that it may have received.
func TestMutexGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m xsync.Mutex
		m.Init()
		m.Lock()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		gaveUp := false
		go func() {
			m.AddWaiter()
			defer m.RemoveWaiter()
			for !m.TryLock() {
				select {
				case <-m.Wake():
				case <-ctx.Done():
					gaveUp = true
					return
				}
			}
		}()
		locked := make(chan struct{})
		go func() {
			m.Lock()
			close(locked)
		}()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if !gaveUp {
			t.Fatal("the waiter did not give up")
		}
		m.Unlock()
		<-locked // or the bubble is deadlocked
	})
}

// A signal wakes those that waited before it was fired and those that come after, and its
// channel stays the same.
func TestSignal(t *testing.T) {
	var waited, unwaited xsync.Signal
	before := waited.WaitLocked()
	select {
	case <-before:
		t.Fatal("fired before FireLocked")
	default:
	}
	for range 2 { // the second call has no effect
		waited.FireLocked()
		unwaited.FireLocked()
	}
	<-before
	<-unwaited.WaitLocked()
	if waited.WaitLocked() != before {
		t.Error("another channel after it has fired")
	}
}
