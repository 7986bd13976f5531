//go:build unix

package main

import (
	"syscall"
	"time"
)

// cpuTime returns the processor time that the process has taken so far, that of the collector included.
// On a busy machine it says more than the clock.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
