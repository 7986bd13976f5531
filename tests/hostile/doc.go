// Package hostile has tests of payloads that are made to exhaust the receiver:
// each case of the corpora in testdata is sent to servers in a process of their
// own. The fuzz targets are in package fuzz, below it.
package hostile
