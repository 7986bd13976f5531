//go:build !unix

package qsocket

import (
	"net"
	"syscall"
)

// rawConn returns nil: without non-blocking reads and writes of a file
// descriptor, the methods of the net.Conn serve.
func rawConn(net.Conn) syscall.RawConn { return nil }

func rawRead(uintptr, []byte) (n int, again bool, err error)  { panic("qsocket: no raw sockets here") }
func rawWrite(uintptr, []byte) (n int, again bool, err error) { panic("qsocket: no raw sockets here") }
