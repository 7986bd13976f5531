package main

import (
	"fmt"
	"time"

	"github.com/fb9bb4ed/qsocket/bench/peers"
)

// runPing sends n messages, each after the echo of the one before.
func runPing(end peers.End, n int) error {
	for i := range n {
		want := firstStamp + int64(i)
		if err := post(end, want); err != nil {
			return fmt.Errorf("send: %w", err)
		}
		got, err := recvEcho(end, i, n)
		if err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("echo %d is that of message %d", i+1, got-firstStamp+1)
		}
	}
	return nil
}

// recvEcho receives number i of n echoes, from 0.
func recvEcho(end peers.End, i, n int) (stamp int64, err error) {
	stamp, err = end.Recv()
	if err != nil {
		err = fmt.Errorf("receive echo %d of %d: %w", i+1, n, err)
	}
	return stamp, err
}

// runWindow sends n messages with at most inFlight unanswered. One goroutine does
// both: a semaphore between two is a good part of what runPipeline measures.
func runWindow(end peers.End, n int) error {
	sent := 0
	send := func() error {
		sent++
		return end.Send(firstStamp + int64(sent-1))
	}
	for range min(n, inFlight) {
		if err := send(); err != nil {
			return fmt.Errorf("send: %w", err)
		}
	}
	if err := end.Flush(); err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	var sum int64
	for i := range n {
		stamp, err := recvEcho(end, i, n)
		if err != nil {
			return err
		}
		sum += stamp - firstStamp
		if sent == n {
			continue
		}
		if err := send(); err != nil {
			return fmt.Errorf("send: %w", err)
		}
		if !end.Pending() || sent == n {
			if err := end.Flush(); err != nil {
				return fmt.Errorf("flush: %w", err)
			}
		}
	}
	return checkSum(sum, n)
}

// runPipeline is runWindow with a goroutine that sends and one that receives. It
// flushes when it has to wait for an answer.
func runPipeline(end peers.End, n int) error {
	free := make(chan struct{}, inFlight) // has an element for each unanswered message
	sent := make(chan error, 1)
	stop := make(chan struct{})
	defer close(stop)
	go func() { sent <- sendPipeline(end, n, free, stop) }() // ends when all are sent, or with stop and the connection
	var sum int64
	for i := range n {
		stamp, err := recvEcho(end, i, n)
		if err != nil {
			return err
		}
		sum += stamp - firstStamp
		<-free
	}
	if err := <-sent; err != nil {
		return err
	}
	return checkSum(sum, n)
}

// sendPipeline sends n messages, each as soon as it finds room in free.
func sendPipeline(end peers.End, n int, free chan<- struct{}, stop <-chan struct{}) error {
	for i := range n {
		select {
		case free <- struct{}{}:
		default:
			if err := end.Flush(); err != nil {
				return fmt.Errorf("flush: %w", err)
			}
			select {
			case free <- struct{}{}:
			case <-stop:
				return nil
			}
		}
		if err := end.Send(firstStamp + int64(i)); err != nil {
			return fmt.Errorf("send: %w", err)
		}
	}
	return end.Flush()
}

// checkSum checks the sum of the timestamps of n echoes, less firstStamp each:
// calls may be answered in any order.
func checkSum(sum int64, n int) error {
	if want := int64(n) * int64(n-1) / 2; sum != want {
		return fmt.Errorf("the %d echoes are not those of what was sent: sum %d, want %d", n, sum, want)
	}
	return nil
}

// runEcho answers n messages.
func runEcho(end peers.End, n int) error {
	for i := range n {
		stamp, err := end.Recv()
		if err != nil {
			return fmt.Errorf("receive message %d of %d: %w", i+1, n, err)
		}
		if err := end.Send(stamp); err != nil {
			return fmt.Errorf("send: %w", err)
		}
		if !end.Pending() || i == n-1 {
			if err := end.Flush(); err != nil {
				return fmt.Errorf("flush: %w", err)
			}
		}
	}
	return nil
}

// runPace sends n messages, one every pause, with the time at which it does so.
func runPace(end peers.End, n int) error {
	next := time.Now()
	for range n {
		next = next.Add(pause)
		sleepUntil(next)
		if err := post(end, time.Now().UnixNano()); err != nil {
			return fmt.Errorf("send: %w", err)
		}
	}
	if _, err := end.Recv(); err != nil {
		return fmt.Errorf("receive the acknowledgement: %w", err)
	}
	return nil
}

// runClock receives n messages and returns the mean of their ages.
func runClock(end peers.End, n int) (age time.Duration, err error) {
	for i := range n {
		stamp, err := end.Recv()
		if err != nil {
			return 0, fmt.Errorf("receive message %d of %d: %w", i+1, n, err)
		}
		age += time.Duration(time.Now().UnixNano() - stamp)
	}
	if err := post(end, firstStamp); err != nil {
		return 0, fmt.Errorf("send the acknowledgement: %w", err)
	}
	return age / time.Duration(n), nil
}
