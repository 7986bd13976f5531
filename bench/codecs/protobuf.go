package codecs

import (
	"fmt"
	"math"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/bench/codecs/orderpb"
	"github.com/fb9bb4ed/qsocket/bench/peers"
	"google.golang.org/protobuf/proto"
)

// Protobuf is Protocol Buffers. A program whose messages are the generated types
// needs no more than qsocket.Stateless with proto.Marshal and proto.Unmarshal;
// this one sends a type of its own, as the other codecs here do, and copies it
// to and from a generated one. Each encoder and decoder uses one again and again.
func Protobuf() qsocket.Codec[peers.Order] { return protobufCodec{} }

type protobufCodec struct{}

func (protobufCodec) Name() string                             { return "protobuf" }
func (protobufCodec) Stateless() bool                          { return true } // what is used again says nothing of earlier messages
func (protobufCodec) NewEncoder() qsocket.Encoder[peers.Order] { return new(protobufEncoder) }
func (protobufCodec) NewDecoder() qsocket.Decoder[peers.Order] { return new(protobufDecoder) }

type protobufEncoder struct{ m orderpb.Order }

func (e *protobufEncoder) Append(dst []byte, o peers.Order) ([]byte, error) {
	m := &e.m
	m.Id, m.Symbol, m.Side, m.Price = o.ID, o.Symbol, uint32(o.Side), o.Price
	m.Qty, m.Client, m.Tags, m.Ts = o.Qty, o.Client, o.Tags, o.TS
	b, err := proto.MarshalOptions{}.MarshalAppend(dst, m)
	m.Symbol, m.Client, m.Tags = "", "", nil // a Conn that idles holds on to no message
	return b, err
}

type protobufDecoder struct{ m orderpb.Order }

func (d *protobufDecoder) Decode(payload []byte) (peers.Order, error) {
	m := &d.m
	if err := proto.Unmarshal(payload, m); err != nil { // which resets m first
		return peers.Order{}, err
	}
	if m.Side > math.MaxUint8 {
		return peers.Order{}, fmt.Errorf("side %d, want at most %d", m.Side, math.MaxUint8)
	}
	o := peers.Order{
		ID: m.Id, Symbol: m.Symbol, Side: uint8(m.Side), Price: m.Price,
		Qty: m.Qty, Client: m.Client, Tags: m.Tags, TS: m.Ts,
	}
	m.Symbol, m.Client, m.Tags = "", "", nil
	return o, nil
}
