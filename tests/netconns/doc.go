// Package netconns holds tests of what Conns promise over net.Conns that do not behave as
// those of package net do: their deadlines are fatal, have errors of their own, or do not
// exist; their Write or Read is not woken by Close; they break the rules of io.Reader.
package netconns
