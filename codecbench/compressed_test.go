package codecbench_test

import (
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/codecbench"
)

// Compression finds repetitions within a message, and within a stream those between messages, too.
func TestFlateBytes(t *testing.T) {
	type line struct{ Text string }
	text := "the quick brown fox jumps over the lazy dog 0123456789"
	unlike := []line{{strings.Repeat("ab", 500)}}
	alike := []line{{text}, {text}, {text}, {text}}
	for _, codec := range []qsocket.Codec[line]{qsocket.Msgpack[line](), qsocket.Gob[line]()} {
		repetitive, err := codecbench.Measure(unlike, codec)
		if err != nil {
			t.Fatal(err)
		}
		if r := repetitive[0]; r.FlateBytes < 5 || r.FlateBytes > r.WireBytes/10 {
			t.Errorf("%s: a message of repetitions takes %v bytes compressed, want at most a tenth of %v", codec.Name(), r.FlateBytes, r.WireBytes)
		}
		stream, err := codecbench.Measure(alike, codec)
		if err != nil {
			t.Fatal(err)
		}
		if r := stream[0]; r.FlateBytes < float64(len(text))/2 || r.FlateStreamBytes > r.FlateBytes/2 {
			t.Errorf("%s: messages that are alike take %v bytes alone and %v in a stream, want less than half in a stream", codec.Name(), r.FlateBytes, r.FlateStreamBytes)
		}
	}
}
