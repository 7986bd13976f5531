// Package qsockettest helps to test programs that use package qsocket.
//
// # Connections in memory
//
// [Pipe] returns two connected Conns for a test, and ends them with it. They work
// in bubbles of testing/synctest, where time stands still until all goroutines wait.
// [NetPipe] is what is below them: streams that have, unlike those of net.Pipe,
// buffers, half-closes and resets.
//
// [Listen] returns a net.Listener in memory, for programs that listen and dial, and a
// [Network] several of them: servers that restart, clients that dial again. They work in
// bubbles, too.
//
// Heartbeats keep the time of a bubble going. Where a bubble without them would end with a
// deadlock, a test that waits for what never comes is not found out before go test's timeout, so bound
// its waits: a ctx with an hour to go costs nothing there.
//
// # Bad networks
//
// A [Proxy] between two ends delays, splits, merges, flips, stalls and cuts what
// they send, as its [Faults] say. What is random in it comes from a seed.
//
// # The protocol stays what it is
//
// [Golden] keeps a record of what the messages of a protocol look like on the
// wire, in a file next to the test, and fails when a change of a Go type makes a
// difference that peers with the old type do not survive:
//
//	func TestProtocol(t *testing.T) {
//		qsockettest.Golden(t, orders.Protocol)
//	}
package qsockettest
