// Package wire has tests of what is on the wire: framings, the hello, control
// frames, and the conversations of docs/wire.md, byte by byte.
package wire
