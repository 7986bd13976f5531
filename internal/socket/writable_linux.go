package socket

import (
	"syscall"
	"unsafe"
)

// writable asks ppoll(2), without waiting. A TCP socket is writable while a third of its buffer is
// free, a Unix socket while three quarters are: whatever SO_SNDBUF is, there is space for a segment
// and more. (Short of memory for all of TCP, see tcp_mem in tcp(7), a write may wait nevertheless.)
func writable(fd uintptr) bool {
	const out = 0x4 // POLLOUT; what has failed is more than that
	p := struct {
		fd              int32
		events, revents int16
	}{int32(fd), out, 0}
	var now syscall.Timespec
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&p)), 1, uintptr(unsafe.Pointer(&now)), 0, 0, 0)
	return errno == 0 && p.revents == out
}
