package qsockettest

import "net"

// closeWrite ends what nc's peer reads.
func closeWrite(nc net.Conn) {
	if half, ok := nc.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // fails only if the connection has ended anyway
	} else {
		_ = nc.Close()
	}
}

// reset closes nc with a reset if there is one.
func reset(nc net.Conn) {
	nc = belowTLS(nc)
	if l, ok := nc.(interface{ SetLinger(int) error }); ok {
		_ = l.SetLinger(0)
	}
	_ = nc.Close()
}

// resetAfter is reset, except that nc's peer can read what was delivered. Most
// kernels do that by themselves.
func resetAfter(nc net.Conn) {
	if sc, ok := belowTLS(nc).(*StreamConn); ok {
		sc.resetAfter()
	} else {
		reset(nc)
	}
}

// belowTLS returns the connection that TLS or another wrapper is on. Closed by
// itself, TLS would wait for its last words to be taken.
func belowTLS(nc net.Conn) net.Conn {
	for {
		w, ok := nc.(interface{ NetConn() net.Conn })
		if !ok {
			return nc
		}
		nc = w.NetConn()
	}
}
