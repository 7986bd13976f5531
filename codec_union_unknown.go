package qsocket

import (
	"errors"
	"fmt"
	"reflect"
)

// Otherwise is the part of a [Union] that takes payloads with tags that no Case
// has: a newer peer may send them. f gets the tag and what follows it, which it
// must not keep; it returns the message to deliver, or the error that ends the
// Conn. To drop such messages, use [SkipUnknown] in its place.
//
// Otherwise panics if f is nil.
func Otherwise[T any](f func(tag uint64, payload []byte) (T, error)) Variant[T] {
	if f == nil {
		panic("qsocket: Otherwise without a function")
	}
	return otherwise[T](f)
}

type otherwise[T any] func(tag uint64, payload []byte) (T, error)

func (f otherwise[T]) addTo(u *unionCodec[T]) {
	switch {
	case u.otherwise != nil:
		panic(fmt.Sprintf("qsocket: Union of %v: Otherwise is given twice", reflect.TypeFor[T]()))
	case u.skip:
		panic(bothWays[T]())
	}
	u.otherwise = f
}

// SkipUnknown is the part of a [Union] that drops messages with tags that no Case has, as if
// they had not been sent: a newer peer may send them. They are counted in Stats.Unknown, and the first one of
// a Conn is logged with its tag. Nothing else comes of them: a Shutdown of the peer is confirmed, and Recv
// goes on to the next message.
//
// A codec that has a Union inside passes that on if its Decode returns the error of the
// Union's, as it is or wrapped.
//
// Union panics if there is SkipUnknown twice, or beside Otherwise.
func SkipUnknown[T any]() Variant[T] { return skipUnknown[T]{} }

type skipUnknown[T any] struct{}

func (skipUnknown[T]) addTo(u *unionCodec[T]) {
	switch {
	case u.skip:
		panic(fmt.Sprintf("qsocket: Union of %v: SkipUnknown is given twice", reflect.TypeFor[T]()))
	case u.otherwise != nil:
		panic(bothWays[T]())
	}
	u.skip = true
}

func bothWays[T any]() string {
	return fmt.Sprintf("qsocket: Union of %v: SkipUnknown and Otherwise, want one of them", reflect.TypeFor[T]())
}

// skippedCase is the error of a Decode whose message is to be dropped.
type skippedCase struct{ tag uint64 }

// asSkippedCase finds one in err, whose methods may panic, as those of a nil pointer do; or
// returns nil.
func asSkippedCase(err error) (skip *skippedCase) {
	defer func() {
		if recover() != nil {
			skip = nil
		}
	}()
	errors.As(err, &skip)
	return skip
}

func (e *skippedCase) Error() string {
	return fmt.Sprintf("unknown tag %d, which SkipUnknown drops", e.tag)
}
