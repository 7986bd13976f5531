package testkit

import (
	"os"
	"strconv"
	"strings"
)

// ProcStatus returns a size from /proc/self/status, in bytes.
func ProcStatus(name string) int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), name+":")
	kib, _ := strconv.Atoi(strings.Fields(rest + " 0")[0])
	return kib << 10
}
