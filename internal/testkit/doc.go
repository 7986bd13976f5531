// Package testkit has what the tests of several packages need: connections and
// listeners over every transport, protocols for plain messages, peers that speak
// byte by byte, and waiting with a limit. It imports package qsocket, so the tests
// of what that imports can only use it from a package of their own, with the
// suffix _test.
package testkit
