package socket

import (
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/fb9bb4ed/qsocket/internal/excerpt"
)

// MaxEmptyReads is how many Reads of a net.Conn in a row may return neither bytes nor an error.
const MaxEmptyReads = 100

// Reader reads from a net.Conn that is not trusted to keep to the rules of io.Reader: it
// returns bytes or an error, and no more bytes than there is space for.
type Reader struct{ r io.Reader }

// NewReader returns a Reader over r.
func NewReader(r io.Reader) Reader { return Reader{r} }

// Sane returns err, of a net.Conn that others have made, or what can be said of it if its methods
// panic, as those of a nil pointer do: nobody else need be careful with it then.
func Sane(err error) (sane error) {
	if err == nil || err == io.EOF {
		return err
	}
	defer func() {
		if recover() != nil {
			sane = errors.New(excerpt.Words(err))
		}
	}()
	var ne net.Error
	_ = errors.Is(err, io.EOF) || errors.As(err, &ne) && ne.Timeout()
	return err
}

// Read returns io.ErrNoProgress after MaxEmptyReads.
func (r Reader) Read(b []byte) (int, error) {
	for range MaxEmptyReads {
		n, err := r.r.Read(b)
		err = Sane(err)
		if n < 0 || n > len(b) {
			return 0, fmt.Errorf("%T.Read returned %d for %d bytes", r.r, n, len(b))
		}
		if n > 0 || err != nil || len(b) == 0 {
			return n, err
		}
	}
	return 0, io.ErrNoProgress
}
