package testkit

import (
	"fmt"
	"io"

	"github.com/fb9bb4ed/qsocket"
)

// Raw is a protocol whose messages are their payloads.
var Raw = qsocket.Protocol[[]byte]{Codec: RawCodec}

// RawCodec is the codec of Raw.
var RawCodec = qsocket.Stateless("raw",
	func(b []byte) ([]byte, error) { return b, nil },
	func(payload []byte, b *[]byte) error { *b = append([]byte{}, payload...); return nil })

// Text is Raw for strings.
var Text = qsocket.Protocol[string]{Codec: TextCodec}

// TextCodec is the codec of Text.
var TextCodec = qsocket.Stateless("text",
	func(s string) ([]byte, error) { return []byte(s), nil },
	func(payload []byte, s *string) error { *s = string(payload); return nil })

// Named is Text with a hello.
var Named = qsocket.Protocol[string]{Name: "text/1", Codec: TextCodec}

// Panicking is a codec that panics at will.
var Panicking = qsocket.Protocol[string]{Codec: qsocket.Stateless("panicking",
	func(s string) ([]byte, error) {
		if s == "panic while encoding" {
			panic("oh no")
		}
		return []byte(s), nil
	},
	func(payload []byte, s *string) error {
		if string(payload) == "panic while decoding" {
			panic("oh no")
		}
		if string(payload) == "io.EOF while decoding" {
			return fmt.Errorf("wrapped: %w", io.EOF)
		}
		*s = string(payload)
		return nil
	})}
