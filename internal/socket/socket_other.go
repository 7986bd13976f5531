//go:build !unix

package socket

import (
	"net"
	"syscall"
)

// rawConn returns nil: without non-blocking reads and writes of a file
// descriptor, the methods of the net.Conn serve.
func rawConn(net.Conn) syscall.RawConn { return nil }

// unread returns true: it cannot be seen.
func unread(net.Conn) bool { return true }

func RawRead(uintptr, []byte) (n int, again bool, err error)  { panic("qsocket: no raw sockets here") }
func RawWrite(uintptr, []byte) (n int, again bool, err error) { panic("qsocket: no raw sockets here") }
