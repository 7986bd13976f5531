package codecs

import (
	"fmt"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/bench/codecs/ordermsgp"
	"github.com/fb9bb4ed/qsocket/bench/peers"
)

// Msgp is MessagePack by generated methods. They append, and so does the codec;
// with qsocket.Stateless each message would be allocated and copied first.
func Msgp() qsocket.Codec[peers.Order] { return msgpCodec{} }

// msgpCodec keeps nothing, and is its own encoder and decoder.
type msgpCodec struct{}

func (msgpCodec) Name() string                             { return "msgp" }
func (msgpCodec) Stateless() bool                          { return true }
func (msgpCodec) NewEncoder() qsocket.Encoder[peers.Order] { return msgpCodec{} }
func (msgpCodec) NewDecoder() qsocket.Decoder[peers.Order] { return msgpCodec{} }

func (msgpCodec) Append(dst []byte, o peers.Order) ([]byte, error) {
	return (*ordermsgp.Order)(&o).MarshalMsg(dst)
}

func (msgpCodec) Decode(payload []byte) (o peers.Order, err error) {
	rest, err := (*ordermsgp.Order)(&o).UnmarshalMsg(payload)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes after the message", len(rest))
	}
	return o, err
}
