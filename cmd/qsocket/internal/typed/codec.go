package typed

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/jsonscan"
	"github.com/fb9bb4ed/qsocket/internal/mpplan"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// Case is a message of a union. Value is a pointer to it.
type Case struct {
	Tag   uint64
	Value any
}

// Sample makes a message of a payload in the codec of the description. It is a pointer to a value, or
// a Case.
func (m *Messages) Sample(payload []byte) (any, error) {
	tag, rest, kind, err := m.kindOf(payload)
	if err != nil {
		return nil, err
	}
	pointer := reflect.New(kind.typ)
	decode := decodeMsgpack
	if kind.codec == "json" {
		decode = decodeJSON
	}
	if err := decode(new(mpplan.Decoder), rest, pointer); err != nil {
		return nil, err
	}
	if m.union {
		return Case{tag, pointer.Interface()}, nil
	}
	return pointer.Interface(), nil
}

// kindOf cuts the tag off a payload of a union.
func (m *Messages) kindOf(payload []byte) (tag uint64, rest []byte, kind *message, err error) {
	if m.union {
		var n int
		if n, tag, err = wire.ParseUvarint(payload); err != nil {
			return 0, nil, nil, err
		}
		payload = payload[n:]
	}
	kind = m.cases[tag]
	if kind == nil {
		return 0, nil, nil, fmt.Errorf("case %d is not in the description", tag)
	}
	return tag, payload, kind, nil
}

// Codecs returns the codecs to measure with what Sample returns. They do what those of package
// qsocket do; their payloads begin with a tag if the messages are a union.
func (m *Messages) Codecs() []qsocket.Codec[any] {
	arrays := mpplan.Options{Arrays: true}
	return []qsocket.Codec[any]{
		&codec{"msgpack", m, appendMsgpack(mpplan.Options{}), decodeMsgpack},
		&codec{"msgpack-arrays", m, appendMsgpack(arrays), decodeMsgpack},
		&codec{"json", m, appendJSON, decodeJSON},
	}
}

// codec is one of them. append gets a pointer, and so does decode.
type codec struct {
	name   string
	of     *Messages
	append func(e *mpplan.Encoder, dst []byte, pointer reflect.Value) ([]byte, error)
	decode func(d *mpplan.Decoder, payload []byte, pointer reflect.Value) error
}

func (c *codec) Name() string                     { return c.name }
func (c *codec) Stateless() bool                  { return true }
func (c *codec) NewEncoder() qsocket.Encoder[any] { return &encoder{codec: c} }
func (c *codec) NewDecoder() qsocket.Decoder[any] { return &decoder{codec: c} }

type encoder struct {
	*codec
	state mpplan.Encoder
}

func (e *encoder) Append(dst []byte, v any) ([]byte, error) {
	if tagged, ok := v.(Case); ok {
		dst = binary.AppendUvarint(dst, tagged.Tag)
		v = tagged.Value
	}
	return e.append(&e.state, dst, reflect.ValueOf(v))
}

type decoder struct {
	*codec
	state mpplan.Decoder
}

func (d *decoder) Decode(payload []byte) (any, error) {
	tag, rest, kind, err := d.of.kindOf(payload)
	if err != nil {
		return nil, err
	}
	pointer := reflect.New(kind.typ)
	if err := d.decode(&d.state, rest, pointer); err != nil {
		return nil, err
	}
	if d.of.union {
		return Case{tag, pointer.Interface()}, nil
	}
	return pointer.Interface(), nil
}

// appendMsgpack is one choice of MessagePack. The options are those of the encoder from then on.
func appendMsgpack(o mpplan.Options) func(*mpplan.Encoder, []byte, reflect.Value) ([]byte, error) {
	return func(e *mpplan.Encoder, dst []byte, pointer reflect.Value) ([]byte, error) {
		e.Options = o
		return mpplan.Of(pointer.Type().Elem()).Append(e, dst, pointer)
	}
}

func decodeMsgpack(d *mpplan.Decoder, payload []byte, pointer reflect.Value) error {
	return mpplan.Of(pointer.Type().Elem()).Decode(d, payload, pointer)
}

func appendJSON(_ *mpplan.Encoder, dst []byte, pointer reflect.Value) ([]byte, error) {
	b, err := json.Marshal(pointer.Interface())
	return append(dst, b...), err
}

func decodeJSON(_ *mpplan.Decoder, payload []byte, pointer reflect.Value) error {
	if err := jsonscan.Scan(payload); err != nil {
		return err
	}
	return json.Unmarshal(payload, pointer.Interface())
}
