//go:build unix

package socket

import (
	"net"
	"syscall"
)

// rawConn returns access to the file descriptor of a kernel socket, or nil.
// Only the two concrete types count: a wrapper that embeds one of them may
// have changed what Read and Write do.
func rawConn(nc net.Conn) syscall.RawConn {
	var sc syscall.Conn
	switch nc := nc.(type) {
	case *net.TCPConn:
		sc = nc
	case *net.UnixConn:
		sc = nc
	default:
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// unread reports whether there is something to read that nobody has read yet, the end of
// the stream not counted; or true if that cannot be seen.
func unread(nc net.Conn) bool {
	raw := rawConn(nc)
	if raw == nil {
		return true
	}
	some := true
	_ = raw.Control(func(fd uintptr) { // fails only if the socket is closed
		var b [1]byte
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK)
		some = n > 0 || err != nil && err != syscall.EAGAIN
	})
	return some
}

// maxIO keeps one read or write below what any kernel accepts (macOS: 2 GiB).
const maxIO = 1 << 30

// RawRead reads what is there. again means: nothing yet.
func RawRead(fd uintptr, b []byte) (n int, again bool, err error) {
	return retry(syscall.Read, int(fd), b)
}

// RawWrite writes what the kernel takes now. again means: nothing for now.
func RawWrite(fd uintptr, b []byte) (n int, again bool, err error) {
	return retry(syscall.Write, int(fd), b)
}

func retry(call func(int, []byte) (int, error), fd int, b []byte) (n int, again bool, err error) {
	if len(b) > maxIO {
		b = b[:maxIO]
	}
	for {
		n, err = call(fd, b)
		switch err {
		case nil:
			return n, false, nil
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			return 0, true, nil
		default:
			return 0, false, err
		}
	}
}
