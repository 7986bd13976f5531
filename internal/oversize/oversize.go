// Package oversize has the error of encoders that give up a value because of its size.
package oversize

import "fmt"

// Error is why an encoder has given up a value: its encoding takes at least so many bytes,
// and fewer can be sent.
type Error struct{ Least int }

func (e *Error) Error() string {
	return fmt.Sprintf("encoding of at least %d bytes, which is more than can be sent", e.Least)
}
