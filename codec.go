package qsocket

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/fb9bb4ed/qsocket/internal/excerpt"
	"github.com/fb9bb4ed/qsocket/internal/hints"
	"github.com/fb9bb4ed/qsocket/internal/oversize"
)

// Codec turns values of type T into payloads and back. A Codec is a factory
// and must be safe for concurrent use; the encoders and decoders it makes are
// used by one goroutine at a time.
//
// A codec whose encoders and decoders carry nothing from one message to the
// next says so with a method
//
//	Stateless() bool
//
// that returns true. All codecs of this package but [Gob], and unions with it, do.
//
// A codec that can tell what its payloads look like has a method
//
//	Schema() string
//
// in the form of docs/schema.md; a named protocol compares it with the peer's. An
// empty one tells nothing. It is called each time a Conn opens, so it should
// remember what it has made. Codecs that [Stateless] makes have no such method.
type Codec[T any] interface {
	// Name identifies the encoding in errors and benchmarks, and to handshakes,
	// Group and Prepared: codecs of one name must understand each other.
	Name() string
	// NewEncoder is called once per connection, so an Encoder may keep state; and
	// besides by Union, Group and Prepare.
	NewEncoder() Encoder[T]
	// NewDecoder is called once per connection, so a Decoder may keep state.
	NewDecoder() Decoder[T]
}

// Encoder appends encoded values to byte slices.
//
// An Encoder that keeps state between messages should have a method
//
//	Reset()
//
// It is called when a payload that Append returned was not sent (it was larger
// than MaxFrame, or its Send was cancelled while it waited for room): the
// payload after Reset must decode without it. Where a stateful Encoder has no
// Reset, a message that is too large ends the Conn, because the peer could not
// decode what follows.
//
// Append runs while the Conn's outgoing buffer is locked. It must not use the
// Conn, block (other Sends wait for it, and so does Close) or end its goroutine.
type Encoder[T any] interface {
	// Append appends the encoding of v to dst and returns the extended slice,
	// as append does. After an error the Encoder must go on to work: what it
	// returned is dropped, and the next payload must decode without it. A panic
	// is an error, after which a stateful Encoder is Reset.
	Append(dst []byte, v T) ([]byte, error)
}

// Decoder decodes payloads.
type Decoder[T any] interface {
	// Decode decodes one whole payload and refuses bytes that are left over.
	// It must neither change nor keep payload, or any part of it: the memory
	// is used again for the next frame. Nor may it block: the socket cannot be
	// closed before it returns. What it returns is copied: a T that holds a
	// pointer into itself does not survive that.
	Decode(payload []byte) (T, error)
}

// limiter is an Encoder that gives up a value whose encoding cannot be sent. One that is
// small in memory can have an encoding of any length, if parts of it have others in common.
type limiter interface {
	// limitPayload says how long a payload may be, in bytes: Append returns a
	// *oversize.Error soon after it has become certain that it will be longer, but
	// may do so only then. The next payload is one like others. Without a call there is no limit.
	limitPayload(n int)
}

// limit tells the Encoder enc, if it wants to know, how long a payload may be.
func limit(enc any, n int) {
	switch l := enc.(type) {
	case limiter:
		l.limitPayload(n)
	case hints.Limiter:
		l.LimitPayload(hints.Limit(n))
	}
}

// intoDecoder is a Decoder that can decode to where the value is wanted. Going
// up through the functions in between, a value of a hundred bytes is copied
// often enough to cost more than a small one takes to be decoded.
type intoDecoder[T any] interface {
	// decodeInto decodes payload to *v, which is zero. After an error or a
	// panic, what it has left there does not matter.
	decodeInto(payload []byte, v *T) error
}

// decodeNew is Decode for an intoDecoder. *scratch is kept for it; the value is
// on the heap in any case, and so it is not a new one each time.
func decodeNew[T any](d intoDecoder[T], scratch **T, payload []byte) (v T, err error) {
	if *scratch == nil {
		*scratch = new(T)
	}
	p := *scratch
	*scratch = nil // for as long as it is not zero: d may panic
	var zero T
	if err := d.decodeInto(payload, p); err != nil {
		return zero, err
	}
	v, *p = *p, zero
	*scratch = p
	return v, nil
}

// sizer is a Decoder that knows what the values take that it makes, in bytes.
type sizer interface {
	// maxDecoded bounds the memory of the value of a payload of n bytes: factor × n +
	// free.
	maxDecoded() (factor, free int)
	// decodedSize is the memory of the value that was decoded last, which is v or what
	// v points to, from a payload of n bytes; or more than limit, if it is that.
	decodedSize(v any, n, limit int) int
}

// otherFactor is what values of other decoders count as, times the length of the payload.
const otherFactor = 8

// maxDecoded is that of the Decoder dec.
func maxDecoded(dec any) (factor, free int) {
	switch s := dec.(type) {
	case sizer:
		return s.maxDecoded()
	case hints.Sizer:
		most := s.MaxDecoded()
		return most.Factor, most.Free
	}
	return otherFactor, 0
}

// decodedSize is that of v, which the Decoder dec has just made of a payload of n bytes.
func decodedSize(dec, v any, n, limit int) int {
	switch v := v.(type) {
	case []byte:
		return cap(v)
	case *[]byte:
		return cap(*v)
	case string:
		return len(v)
	case *string:
		return len(*v)
	}
	switch s := dec.(type) {
	case sizer:
		return s.decodedSize(v, n, limit)
	case hints.Sizer:
		size := s.DecodedSize()
		return size.Factor*n + size.Free
	}
	return otherFactor * n
}

// fitter is a codec that knows which types it can carry.
type fitter interface {
	// unfit returns why no message can get across, or nil.
	unfit() error
}

// unfit returns why no message can get across in the Codec c, as far as it knows.
func unfit(c any) error {
	switch f := c.(type) {
	case fitter:
		return f.unfit()
	case hints.Fitter:
		return f.Unfit().Err
	}
	return nil
}

// isStateless reports whether the Codec c has a method Stateless that says so.
func isStateless(c any) bool {
	s, ok := c.(interface{ Stateless() bool })
	return ok && s.Stateless()
}

// Stateless makes a Codec from two functions, such as those of another encoding
// library. The functions must be safe for concurrent use. unmarshal gets a fresh
// zero T, must not keep the payload, and must refuse bytes that are left over.
// name identifies the encoding to people and, in named protocols, to the peer. Two
// ends compare that name only: nothing is known of the types.
func Stateless[T any](name string, marshal func(T) ([]byte, error), unmarshal func([]byte, *T) error) Codec[T] {
	return funcCodec[T]{name, marshal, unmarshal}
}

// funcCodec is its own Encoder and Decoder.
type funcCodec[T any] struct {
	name      string
	marshal   func(T) ([]byte, error)
	unmarshal func([]byte, *T) error
}

func (c funcCodec[T]) Name() string           { return c.name }
func (c funcCodec[T]) NewEncoder() Encoder[T] { return c }
func (c funcCodec[T]) NewDecoder() Decoder[T] { return c }
func (c funcCodec[T]) Stateless() bool        { return true }

func (c funcCodec[T]) Append(dst []byte, v T) ([]byte, error) {
	payload, err := c.marshal(v)
	if err != nil {
		return dst, err
	}
	return append(dst, payload...), nil
}

func (c funcCodec[T]) Decode(payload []byte) (T, error) {
	var v T
	err := c.unmarshal(payload, &v)
	return v, err
}

// safeEncode calls enc.Append with a dst that is not empty, and returns an
// error for whatever goes wrong in it: an error, a panic, a result that does
// not extend dst. unsure is set after a panic and such a result: enc may then be in any
// state.
func safeEncode[T any](name string, enc Encoder[T], dst []byte, v *T) (b []byte, unsure bool, err error) {
	defer func() {
		if r := recover(); r != nil {
			b, unsure, err = dst, true, codecError("encode", name, panicked(r))
		}
	}()
	b, err = enc.Append(dst, *v)
	if err == nil && len(b) >= len(dst) && &b[0] == &dst[0] {
		return b, false, nil
	}
	return appended(name, dst, b, err)
}

// appended is what safeEncode returns where Append has failed, or has moved what was there.
func appended(name string, dst, b []byte, err error) (_ []byte, unsure bool, _ error) {
	if _, ok := err.(*oversize.Error); ok {
		return dst, false, err
	}
	if err != nil {
		return dst, false, codecError("encode", name, err)
	}
	if len(b) < len(dst) || &b[0] != &dst[0] && !bytes.Equal(b[:len(dst)], dst) {
		return dst, true, codecError("encode", name, fmt.Errorf("Append returned %d bytes that do not begin with the %d it was to append to", len(b), len(dst)))
	}
	return b, false, nil
}

// appender is an io.Writer that appends to itself.
type appender []byte

func (a *appender) Write(p []byte) (int, error) {
	*a = append(*a, p...)
	return len(p), nil
}

// panicked returns an error for a panic of a codec.
func panicked(r any) error { return errors.New("panic: " + excerpt.Panic(r, excerpt.MaxPart-16)) }

// codecError wraps err in a *CodecError unless it is one already.
func codecError(op, name string, err error) error {
	if ce, ok := err.(*CodecError); ok && ce != nil {
		return ce
	}
	return &CodecError{Op: op, Codec: name, Err: err}
}
