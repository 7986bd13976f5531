// Package schema has tests of the descriptions of message types: their text, their
// exchange in the handshake, and that what they call compatible is.
package schema
