package peers

import (
	"fmt"

	"github.com/fb9bb4ed/qsocket"
)

// encoded is the message of codec "none": bytes encoded beforehand, and the
// timestamp that is to replace the one in them.
type encoded struct {
	payload []byte
	stamp   int64
}

// noCodec does next to nothing: what is left is the cost of the library. It
// does not decode more than the timestamp of a payload.
type noCodec struct{ size int }

func (c noCodec) Name() string                         { return "none" }
func (c noCodec) NewEncoder() qsocket.Encoder[encoded] { return c }
func (c noCodec) NewDecoder() qsocket.Decoder[encoded] { return c }
func (c noCodec) Stateless() bool                      { return true }

func (c noCodec) Append(dst []byte, v encoded) ([]byte, error) {
	dst = append(dst, v.payload...)
	putStamp(dst, v.stamp)
	return dst, nil
}

func (c noCodec) Decode(payload []byte) (encoded, error) {
	if len(payload) != c.size {
		return encoded{}, fmt.Errorf("payload of %d bytes, want %d", len(payload), c.size)
	}
	return encoded{stamp: getStamp(payload)}, nil
}
