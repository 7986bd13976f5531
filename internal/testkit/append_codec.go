package testkit

import "github.com/fb9bb4ed/qsocket"

// AppendCodec costs nothing: payloads are copied in, and one value, Shared, comes out.
type AppendCodec struct{ Shared []byte }

func (c AppendCodec) Name() string                                { return "append" }
func (c AppendCodec) Stateless() bool                             { return true }
func (c AppendCodec) NewEncoder() qsocket.Encoder[[]byte]         { return c }
func (c AppendCodec) NewDecoder() qsocket.Decoder[[]byte]         { return c }
func (c AppendCodec) Append(dst, v []byte) ([]byte, error)        { return append(dst, v...), nil }
func (c AppendCodec) Decode(payload []byte) (v []byte, err error) { return c.Shared, nil }
