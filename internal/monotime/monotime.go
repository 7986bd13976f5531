// Package monotime is a clock for intervals: it never jumps, and a reading is one
// word.
package monotime

import "time"

// start is when the clock began.
var start = time.Now()

// Now returns the time since the process started, roughly; only differences mean
// anything. It reads the monotonic clock, in a bubble of testing/synctest the
// virtual one.
func Now() time.Duration { return time.Since(start) }
