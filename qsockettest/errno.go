//go:build !plan9

package qsockettest

import "syscall"

var (
	errReset        error = syscall.ECONNRESET
	errBrokenPipe   error = syscall.EPIPE
	errNotConnected error = syscall.ENOTCONN
	errRefused      error = syscall.ECONNREFUSED
	errInUse        error = syscall.EADDRINUSE
)
