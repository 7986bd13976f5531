// Package session holds the tests of sessions: what survives the loss of connections, and what does not.
package session
