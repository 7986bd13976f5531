//go:build !linux && !darwin

package socket

// writable returns false: the kernel is not asked here.
func writable(uintptr) bool { return false }
