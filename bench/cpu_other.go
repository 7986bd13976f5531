//go:build !unix

package main

import "time"

var started = time.Now()

// cpuTime returns the time since the start, where there is no call for that of the processor.
func cpuTime() time.Duration { return time.Since(started) }
