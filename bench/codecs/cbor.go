package codecs

import (
	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/bench/peers"
	"github.com/fxamacker/cbor/v2"
)

// CBOR is RFC 8949. Structs are maps from field names to values.
func CBOR() qsocket.Codec[peers.Order] {
	return qsocket.Stateless("cbor",
		func(o peers.Order) ([]byte, error) { return cbor.Marshal(&o) },
		func(payload []byte, o *peers.Order) error { return cbor.Unmarshal(payload, o) })
}
