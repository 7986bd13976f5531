package hostile

import (
	"fmt"
	"os"
	"runtime/debug"
	"syscall"

	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// limitHostile limits the address space of this process to what it has, most of
// which Go has reserved and not used, and hostileSpace more.
func limitHostile() error {
	if testkit.RaceEnabled {
		return fmt.Errorf("no limit: the race detector needs more address space than there is")
	}
	limit := uint64(testkit.ProcStatus("VmSize") + hostileSpace)
	if err := syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
		return fmt.Errorf("no limit: %w", err)
	}
	return nil
}

// freeHostile gives back what the last case took, if it was much: memory that stays
// would not be seen when the next one takes it.
func freeHostile() {
	if testkit.RaceEnabled { // whose memory says nothing, and takes its time
		return
	}
	if testkit.ProcStatus("VmRSS") > hostileRest+8<<20 {
		debug.FreeOSMemory()
		hostileRest = testkit.ProcStatus("VmRSS")
	}
}

var hostileRest int // memory of this process at rest

// watchHostile begins to watch the memory of this process. The function that it
// returns tells by how much it has grown in between, at its peak, in bytes.
func watchHostile() (above func() int) {
	if testkit.RaceEnabled {
		return func() int { return 0 }
	}
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // VmHWM begins again
	before := testkit.ProcStatus("VmRSS")
	return func() int { return testkit.ProcStatus("VmHWM") - before }
}
