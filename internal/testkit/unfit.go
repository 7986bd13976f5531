package testkit

import (
	"errors"
	"strings"

	"github.com/fb9bb4ed/qsocket"
)

// Unfit returns why a Protocol with the codec is refused, wherever it is used. It asks Prepare,
// which needs no connection: what the compiler makes of a Conn takes it a second for some types.
func Unfit[T any](codec qsocket.Codec[T]) error {
	var zero T
	_, err := qsocket.Protocol[T]{Codec: codec}.Prepare(zero)
	var ofValue *qsocket.CodecError
	if errors.As(err, &ofValue) || err != nil && strings.Contains(err.Error(), "is not stateless") {
		return nil
	}
	return err
}
