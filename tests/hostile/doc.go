// Package hostile has tests of payloads that are made to exhaust the receiver:
// each case of the corpora in testdata is sent to servers in a process of their
// own. Other tests look at what is said about payloads, methods of types, peers and
// connections that are made to put something into errors and log lines. The fuzz targets are in
// package fuzz, below it.
package hostile
