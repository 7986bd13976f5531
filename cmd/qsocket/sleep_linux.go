package main

import (
	"syscall"
	"time"
)

// sleepUntil returns at t. time.Sleep would be late by up to a millisecond in a
// program that is otherwise idle, because the runtime waits in epoll_wait.
func sleepUntil(t time.Time) {
	for d := time.Until(t); d > 0; d = time.Until(t) {
		ts := syscall.NsecToTimespec(d.Nanoseconds())
		syscall.Nanosleep(&ts, nil) // if a signal interrupts it, the loop goes on
	}
}
