package codecs

import (
	"syscall"

	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// limitSpace limits the address space of this process to what it has, most of which Go has
// reserved and not used, and n bytes more. The race detector needs more than there is.
func limitSpace(n int) error {
	if testkit.RaceEnabled {
		return nil
	}
	limit := uint64(testkit.ProcStatus("VmSize") + n)
	return syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: limit, Max: limit})
}
