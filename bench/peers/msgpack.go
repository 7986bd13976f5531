package peers

import (
	"bytes"
	"fmt"

	"github.com/vmihailenco/msgpack/v5"
)

// A msgpackCodec encodes and decodes messages for one End of a contestant that
// has no codec of its own, as a careful user of package msgpack does: the
// Encoder and the Decoder are kept, integers are compact, and what was decoded
// belongs to the receiver, so that nothing of it is used again.
//
// The two halves share nothing. The caller's lock guards append; decode is for
// the one goroutine that receives.
type msgpackCodec struct {
	m Message

	// For append.
	enc     *msgpack.Encoder
	out     appender
	order   Order
	outBlob Blob

	// For decode.
	dec     *msgpack.Decoder
	in      bytes.Reader
	inOrder Order
	inBlob  Blob
}

func newMsgpackCodec(m Message) *msgpackCodec {
	c := &msgpackCodec{m: m, outBlob: m.blob()}
	c.enc = msgpack.NewEncoder(&c.out)
	c.enc.UseCompactInts(true)
	c.dec = msgpack.NewDecoder(&c.in)
	return c
}

// append appends the message with that timestamp to dst, as the built-in does.
func (c *msgpackCodec) append(dst []byte, stamp int64) ([]byte, error) {
	c.out.b = dst
	c.enc.ResetWriter(&c.out)
	var err error
	if c.m.BlobSize > 0 {
		c.outBlob.TS = stamp
		err = c.enc.Encode(&c.outBlob)
	} else {
		c.order = c.m.order(stamp)
		err = c.enc.Encode(&c.order)
	}
	dst, c.out.b = c.out.b, nil
	return dst, err
}

// decode decodes a message and returns its timestamp. It does not keep payload.
func (c *msgpackCodec) decode(payload []byte) (stamp int64, err error) {
	c.in.Reset(payload)
	c.dec.ResetReader(&c.in)
	if c.m.BlobSize > 0 {
		c.inBlob = Blob{}
		err = c.dec.Decode(&c.inBlob)
		stamp = c.inBlob.TS
	} else {
		c.inOrder = Order{}
		err = c.dec.Decode(&c.inOrder)
		stamp = c.inOrder.TS
	}
	if err == nil && c.in.Len() > 0 {
		err = fmt.Errorf("msgpack: %d bytes left over", c.in.Len())
	}
	return stamp, err
}

// An appender is a writer to a slice.
type appender struct{ b []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.b = append(a.b, p...)
	return len(p), nil
}

func (a *appender) WriteByte(c byte) error {
	a.b = append(a.b, c)
	return nil
}
