// Package transports tests qsocket over the stream connections that programs use it
// over: sockets, TLS, multiplexers, QUIC, SSH, WebSockets, and types that wrap others. Each row
// of the battery is a promise, each kind a transport; docs/transports.md has the
// table of both, which comes from here. Where a promise does not hold over a kind, that is
// an entry in exceptions, with the reason, and a test fails when it holds after all.
//
// It is a module of its own, so that the library need not require the others.
//
//	go test .
//	go test -race -count=20 .
//	go test -run 'Battery/yamux' -v .
//	go test -run Document . -update      writes the table in docs/transports.md
package transports
