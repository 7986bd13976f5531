package outbox

import (
	"errors"
	"net"
	"strings"

	"github.com/fb9bb4ed/qsocket/internal/excerpt"
)

// ErrGone says that the caller of a Send no longer wants its message to be sent.
var ErrGone = errors.New("qsocket: no longer a member")

// EndedError is what Send returns after the failure that ended the connection.
type EndedError struct{ Cause error }

func (e *EndedError) Error() string {
	return excerpt.Text("qsocket: connection has ended: "+strings.TrimPrefix(excerpt.Words(e.Cause), "qsocket: "), excerpt.MaxText)
}

func (e *EndedError) Unwrap() []error { return []error{net.ErrClosed, e.Cause} }

// UndoError is what Abort and Commit return if a payload is not sent that the encoder
// could not undo: the peer could not decode what followed, so nothing more is sent.
type UndoError struct{ Cause error }

func (e *UndoError) Error() string { return e.Cause.Error() }
func (e *UndoError) Unwrap() error { return e.Cause }
