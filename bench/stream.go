package main

import (
	"fmt"
	"sync"

	"github.com/fb9bb4ed/qsocket/bench/peers"
)

// runSource sends n messages by a number of goroutines, and waits until the
// peer has them.
func runSource(end peers.End, n, senders int) error {
	if err := sendShares(end, n, senders); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	if err := end.Flush(); err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	if _, err := end.Recv(); err != nil {
		return fmt.Errorf("receive the acknowledgement: %w", err)
	}
	return nil
}

func sendShares(end peers.End, n, senders int) error {
	share := n / senders
	send := func(first int64) error {
		for i := range share {
			if err := end.Send(first + int64(i)); err != nil {
				return err
			}
		}
		return nil
	}
	if senders == 1 {
		return send(firstStamp)
	}
	var (
		wg    sync.WaitGroup
		once  sync.Once
		first error
	)
	for s := range senders {
		wg.Go(func() { // ends after its share or an error
			if err := send(firstStamp + int64(s*share)); err != nil {
				once.Do(func() {
					first = err
					end.Close() // so that the others do not wait for room
				})
			}
		})
	}
	wg.Wait()
	return first
}

// runSink receives n messages and acknowledges them.
func runSink(end peers.End, n int) error {
	var sum int64 // wraps around; of all timestamps, in whatever order
	for i := range n {
		stamp, err := end.Recv()
		if err != nil {
			return fmt.Errorf("receive message %d of %d: %w", i+1, n, err)
		}
		sum += stamp - firstStamp
	}
	if want := int64(n) * int64(n-1) / 2; sum != want {
		return fmt.Errorf("the %d messages received are not those that were sent: sum %d, want %d", n, sum, want)
	}
	if err := post(end, firstStamp); err != nil {
		return fmt.Errorf("send the acknowledgement: %w", err)
	}
	return nil
}

// runHub sends n messages to each of its connections, by the server's own way
// if it has one, and waits until all peers have them.
func runHub(server peers.Server, ends []peers.End, n int) error {
	to := peers.Sender(everyone(ends))
	if g, ok := server.(peers.Grouper); ok {
		group, err := g.Group(ends)
		if err != nil {
			return err
		}
		to = group
	}
	for i := range n {
		if err := to.Send(firstStamp + int64(i)); err != nil {
			return fmt.Errorf("send: %w", err)
		}
	}
	if err := to.Flush(); err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	for i, end := range ends {
		if _, err := end.Recv(); err != nil {
			return fmt.Errorf("receive acknowledgement %d of %d: %w", i+1, len(ends), err)
		}
	}
	return nil
}

// everyone sends to each end in turn.
type everyone []peers.End

func (e everyone) Send(stamp int64) error {
	for _, end := range e {
		if err := end.Send(stamp); err != nil {
			return err
		}
	}
	return nil
}

func (e everyone) Flush() error {
	for _, end := range e {
		if err := end.Flush(); err != nil {
			return err
		}
	}
	return nil
}
