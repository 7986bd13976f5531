package codecs

import (
	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/bench/peers"
	"github.com/shamaton/msgpack/v2"
)

// Shamaton is MessagePack without generated code, by another library than the
// one behind qsocket.Msgpack. Structs are maps, as there.
func Shamaton() qsocket.Codec[peers.Order] {
	return qsocket.Stateless("shamaton",
		func(o peers.Order) ([]byte, error) { return msgpack.Marshal(&o) },
		func(payload []byte, o *peers.Order) error { return msgpack.Unmarshal(payload, o) })
}
