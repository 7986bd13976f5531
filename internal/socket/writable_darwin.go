package socket

import "syscall"

// writable asks whether the kernel has got rid of all that was written, see SO_NWRITE in
// getsockopt(2): then there is space.
func writable(fd uintptr) bool {
	n, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_NWRITE)
	return err == nil && n == 0
}
