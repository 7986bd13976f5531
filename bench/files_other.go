//go:build !unix

package main

import "github.com/fb9bb4ed/qsocket/bench/peers"

func maxConns(_ peers.Contestant, w workload) int { return w.Conns }

func raiseFileLimit() {}
