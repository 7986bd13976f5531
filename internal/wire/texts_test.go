package wire_test

import (
	"encoding/hex"
	"errors"
	"io"
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// What a peer is told, and what a program logs, of a malformed map. The texts go over the
// wire as reasons, so they do not change with the names of the types that decode them.
func TestMalformedMaps(t *testing.T) {
	for _, test := range []struct {
		name, body string
		parse      func([]byte) error
		want       string
		is         error
	}{
		{"goodbye cut off", "82a178c0a179", parseGoodbye, `qsocket: protocol violation: goodbye: qsocket: decode msgpack: goodbye["y"]: payload ends at byte 6, where another value is expected`, io.ErrUnexpectedEOF},
		{"goodbye empty", "", parseGoodbye, `qsocket: protocol violation: goodbye: qsocket: decode msgpack: goodbye: empty payload, want one value`, io.ErrUnexpectedEOF},
		{"goodbye of another type", "81a6726561736f6e01", parseGoodbye, `qsocket: protocol violation: goodbye: qsocket: decode msgpack: goodbye.Reason: positive fixint where a string is expected`, wire.ErrProtocol},
		{"hello without max", "82a570726f746fa161a5636f646563a162", parseHello, `qsocket: handshake: want a hello (a MessagePack map with proto, codec and max): the key "max" is missing`, nil},
		{"hello of another type", "81a570726f746f01", parseHello, `qsocket: handshake: want a hello (a MessagePack map with proto, codec and max): msgpack: hello.Proto: positive fixint where a string is expected`, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			body, err := hex.DecodeString(test.body)
			if err != nil {
				t.Fatal(err)
			}
			err = test.parse(body)
			if err == nil || err.Error() != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("%v is no %v", err, test.is)
			}
			if errors.Is(err, io.EOF) {
				t.Errorf("%v looks like the end of the connection", err)
			}
		})
	}
}

func parseGoodbye(b []byte) error { _, err := wire.ParseGoodbye(b); return err }
func parseHello(b []byte) error   { _, err := wire.ParseHello(b); return err }
