package codecbench

import "github.com/fb9bb4ed/qsocket"

// Named returns codec under another name, so that two settings of one codec can
// be told apart:
//
//	codecbench.Named("msgpack-arrays", qsocket.Msgpack[Order](qsocket.ArrayEncodedStructs()))
//
// It encodes and decodes as codec does, and keeps state if codec does.
func Named[T any](name string, codec qsocket.Codec[T]) qsocket.Codec[T] {
	if codec == nil {
		return nil // the measurement reports it
	}
	return named[T]{codec, name}
}

type named[T any] struct {
	qsocket.Codec[T]
	name string
}

func (n named[T]) Name() string    { return n.name }
func (n named[T]) Stateless() bool { return isStateless(n.Codec) }

// isStateless reports whether codec says of itself that it keeps no state.
func isStateless[T any](codec qsocket.Codec[T]) bool {
	s, ok := codec.(interface{ Stateless() bool })
	return ok && s.Stateless()
}
