// Package fit has tests of what the codecs refuse: types of which nothing could be received, found
// when a protocol is first used, and values that are too deep or contain themselves, found by Send.
package fit
