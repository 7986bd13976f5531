package qsocket_test

import (
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
)

// limitHostile limits the address space of this process to what it has, most of
// which Go has reserved and not used, and hostileSpace more.
func limitHostile() error {
	if raceEnabled {
		return fmt.Errorf("no limit: the race detector needs more address space than there is")
	}
	limit := uint64(procStatus("VmSize") + hostileSpace)
	if err := syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
		return fmt.Errorf("no limit: %w", err)
	}
	return nil
}

// freeHostile gives back what the last case took, if it was much: memory that stays
// would not be seen when the next one takes it.
func freeHostile() {
	if raceEnabled { // whose memory says nothing, and takes its time
		return
	}
	if procStatus("VmRSS") > hostileRest+8<<20 {
		debug.FreeOSMemory()
		hostileRest = procStatus("VmRSS")
	}
}

var hostileRest int // memory of this process at rest

// watchHostile begins to watch the memory of this process. The function that it
// returns tells by how much it has grown in between, at its peak, in bytes.
func watchHostile() (above func() int) {
	if raceEnabled {
		return func() int { return 0 }
	}
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // VmHWM begins again
	before := procStatus("VmRSS")
	return func() int { return procStatus("VmHWM") - before }
}

// procStatus returns a size from /proc/self/status, in bytes.
func procStatus(name string) int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), name+":")
	kib, _ := strconv.Atoi(strings.Fields(rest + " 0")[0])
	return kib << 10
}
