//go:build unix

package main

import (
	"syscall"

	"github.com/fb9bb4ed/qsocket/bench/peers"
)

// maxConns returns how many connections c can have in w before one of its
// processes runs out of file descriptors.
func maxConns(c peers.Contestant, w workload) int {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return w.Conns
	}
	const others = 100 // besides connections
	each := max(1, c.Files)
	if !w.Apart {
		each++ // the other side
	}
	return (int(limit.Max) - others) / each
}

// raiseFileLimit lets the process open as many files as it ever may. Package os
// has done so on most systems; a parent may have lowered the limit since.
func raiseFileLimit() {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil && limit.Cur < limit.Max {
		limit.Cur = limit.Max
		syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit) // if it fails, the limit is what it was
	}
}
