package codecs

import (
	"errors"
	"io"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/bench/peers"
	"github.com/hamba/avro/v2"
)

// Avro is Apache Avro. Nothing of the schema is on the wire: it is part of the
// protocol that both ends share. avro.Unmarshal takes a payload that ends too
// early for a whole one, and does not mind bytes after it, and so the codec uses
// the Reader behind it.
func Avro() qsocket.Codec[peers.Order] { return avroCodec{} }

var avroSchema = avro.MustParse(`{"type": "record", "name": "Order", "fields": [
	{"name": "ID", "type": {"type": "fixed", "name": "uint64", "size": 8}},
	{"name": "Symbol", "type": "string"},
	{"name": "Side", "type": "int"},
	{"name": "Price", "type": "double"},
	{"name": "Qty", "type": "long"},
	{"name": "Client", "type": "string"},
	{"name": "Tags", "type": {"type": "array", "items": "string"}},
	{"name": "TS", "type": "long"}
]}`)

type avroCodec struct{}

func (avroCodec) Name() string    { return "avro" }
func (avroCodec) Stateless() bool { return true }
func (avroCodec) NewEncoder() qsocket.Encoder[peers.Order] {
	return avroEncoder{avro.NewWriter(nil, 256)}
}
func (avroCodec) NewDecoder() qsocket.Decoder[peers.Order] {
	return avroDecoder{avro.NewReader(nil, 0)}
}

type avroEncoder struct{ w *avro.Writer }

func (e avroEncoder) Append(dst []byte, o peers.Order) ([]byte, error) {
	e.w.Reset(nil)
	e.w.Error = nil // which Reset keeps
	e.w.WriteVal(avroSchema, &o)
	return append(dst, e.w.Buffer()...), e.w.Error
}

type avroDecoder struct{ r *avro.Reader }

func (d avroDecoder) Decode(payload []byte) (o peers.Order, err error) {
	defer d.r.Reset(nil)
	d.r.Reset(payload)
	d.r.Error = nil
	d.r.ReadVal(avroSchema, &o)
	if err := d.r.Error; err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return o, err
	}
	if d.r.Peek(); d.r.Error == nil {
		return o, errors.New("bytes after the message")
	}
	return o, nil
}
