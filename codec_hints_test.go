package qsocket

import (
	"errors"
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/hints"
)

// outside is a codec of another package of the module, with its encoder and decoder.
type outside struct {
	Codec[int]
	Encoder[int]
	limit int
}

var errOutside = errors.New("does not fit")

func (o *outside) Unfit() hints.Unfit               { return hints.Unfit{Err: errOutside} }
func (o *outside) LimitPayload(n hints.Limit)       { o.limit = int(n) }
func (o *outside) MaxDecoded() hints.Size           { return hints.Size{Factor: 3, Free: 5} }
func (o *outside) DecodedSize() hints.Size          { return hints.Size{Factor: 2, Free: 1} }
func (o *outside) Decode(_ []byte) (v int, _ error) { return v, nil }

// The root hears what codecs in other packages of the module tell it.
func TestHints(t *testing.T) {
	var o outside
	if err := unfit(&o); err != errOutside {
		t.Errorf("got %v, want what the codec says", err)
	}
	if limit(&o, 17); o.limit != 17 {
		t.Errorf("got a limit of %d, want 17", o.limit)
	}
	if factor, free := maxDecoded(&o); factor != 3 || free != 5 {
		t.Errorf("got %d × n + %d, want 3 × n + 5", factor, free)
	}
	if got := decodedSize(&o, 0, 10, 100); got != 21 {
		t.Errorf("got %d, want 21", got)
	}
}
