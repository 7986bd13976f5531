// Package hints has what a codec in another package of the module can tell the root beyond
// qsocket.Codec. Its types keep the methods out of reach of other modules: what codecs of
// theirs can tell is in the documentation of qsocket.Codec.
package hints

// Limit is how long a payload may be, in bytes.
type Limit int

// Limiter is an encoder that gives up, with an *oversize.Error, a value whose encoding
// cannot be sent.
type Limiter interface{ LimitPayload(Limit) }

// Unfit is why no message of a type can get across; its Err is nil if that is not known.
type Unfit struct{ Err error }

// Fitter is a codec that knows which types it can carry.
type Fitter interface{ Unfit() Unfit }

// Size is the memory of a value that comes of n bytes: Factor × n + Free bytes.
type Size struct{ Factor, Free int }

// Sizer is a decoder that knows what the values take that it makes.
type Sizer interface {
	// MaxDecoded bounds the memory of any value.
	MaxDecoded() Size
	// DecodedSize is that of the value that was decoded last, whatever its payload.
	DecodedSize() Size
}
