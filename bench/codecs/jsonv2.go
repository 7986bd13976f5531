package codecs

import (
	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/bench/peers"
	"github.com/go-json-experiment/json"
)

// JSONv2 is the next version of encoding/json. Functions that take options need
// a function around them, and nothing else.
func JSONv2() qsocket.Codec[peers.Order] {
	return qsocket.Stateless("json-v2",
		func(o peers.Order) ([]byte, error) { return json.Marshal(&o) },
		func(payload []byte, o *peers.Order) error { return json.Unmarshal(payload, o) })
}
