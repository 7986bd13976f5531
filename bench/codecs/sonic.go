package codecs

import (
	"github.com/bytedance/sonic"
	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/bench/peers"
)

// Sonic is JSON by machine code that is made for the type at run time, on amd64
// and arm64 and for the versions of Go that it knows; elsewhere it is encoding/json.
func Sonic() qsocket.Codec[peers.Order] {
	return qsocket.Stateless("sonic",
		func(o peers.Order) ([]byte, error) { return sonic.Marshal(&o) },
		func(payload []byte, o *peers.Order) error { return sonic.Unmarshal(payload, o) })
}
