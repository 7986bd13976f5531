// Package codecs has tests of what the codecs promise. Whatever Send accepts, the receiver
// gets: tried with types and values drawn at random, hostile ones among them. And msgpack
// takes every format, at its bounds, and every way to write a value: testdata/msgpack.txt.
package codecs
