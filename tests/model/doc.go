// Package model tests qsocket with random programs. It has nothing to
// import: it is a module of its own, so that qsocket's users do not need what
// it needs.
//
// A program is drawn by pgregory.net/rapid: raw or named mode, a framing and a codec, the
// Options of both ends, up to three goroutines at either end with what they do
// (Send of all sizes, Recv, Messages, All, Flush, CloseWrite, Close,
// CloseWithReason, Shutdown, pauses; with a ctx that never ends, ends soon or has
// ended), how each end ends at last, and what the network does meanwhile: latency,
// jitter, bytes split and merged, a stall, a FIN, a reset or a black hole
// after some time or some bytes, flipped bits.
//
// It runs in a bubble of testing/synctest, in virtual time, over a stream in
// memory with qsockettest.Proxy between the ends. Every call is written down
// with its begin, its end and its result. Then each promise of the contract is
// compared with that: promises_test.go has one sentence for each, and a short function stands beside it or in promises_calls_test.go.
// Where the network has flipped bits, only those count that are about
// termination. A bubble also reports goroutines that are left.
//
//	go test .                                       1,000 programs, some over TCP, and the test of the test
//	go test -run='TestModel$' -rapid.checks=100000 -timeout=1h .
//	                                                the full run
//	go test -run=TestSurvey -model.survey=100000 -timeout=1h .
//	                                                the same, without stopping at the first failure
//	go test -run=TestModelOverTCP -model.tcp=10000 .
//	                                                over the kernel's sockets, in real time; what is
//	                                                about moments is not checked there
//
// # When it fails
//
// rapid makes the program shorter, as long as it still fails, and prints it with
// all its calls, the seed, and the name of a file under testdata/rapid from
// which it can be run again: the output says how.
//
// Two things are not drawn, and so can be different when the same program runs
// again: the order in which the scheduler runs goroutines that can all run, and
// the choice of a select with several cases ready. Times in the bubble and all that
// the proxy does follow from the draw. If rapid says "flaky test", run the
// program more often: -model.repeat=1000.
//
// If the process dies (a panic in a goroutine of the library, a data race that
// halts), the program is lost with it. With -model.last=FILE each is written to
// a file before it runs. What spins instead of waiting is given up after
// -model.alarm of real time, with all stacks.
//
// # Whether it can fail
//
// TestModelCatches runs programs on implementations that are broken in one way
// each: a frame lost, doubled or moved below raw mode, an accepted message said
// to be refused, a Close that waits, an Err that forgets. Each must be found, and
// each promise is broken by one of them at least.
package model
