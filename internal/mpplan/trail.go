package mpplan

import (
	"fmt"
	"io"
	"reflect"
	"strconv"
	"unicode/utf8"

	"github.com/fb9bb4ed/qsocket/internal/excerpt"
)

// trail is the error of an Encoder or Decoder, and the way to where it happened.
// The way is collected while the recursion unwinds, from the inside out, so that
// it costs nothing where all is well.
type trail struct {
	err  error
	path []string
}

// fail records an error, unless there is one.
func (t *trail) fail(format string, args ...any) {
	t.failErr(fmt.Errorf(format, args...))
}

func (t *trail) failErr(err error) {
	if t.err == nil {
		t.err = err
	}
}

func (t *trail) inField(f *field)          { t.in("." + f.goName) }
func (t *trail) inElement(i int)           { t.in("[" + strconv.Itoa(i) + "]") }
func (t *trail) inEntry(key reflect.Value) { t.in("[" + show(key) + "]") }
func (t *trail) inKey(i int)               { t.in(" key " + strconv.Itoa(i)) }
func (t *trail) in(step string)            { t.path = append(t.path, step) }
func (t *trail) reset()                    { t.err, t.path = nil, nil }
func (t *trail) wrap(n *node) error        { return &pathError{n.name(), t.path, t.err} }

func show(key reflect.Value) string { return excerpt.Key(key) }

// quote shortens and quotes a name or key.
func quote(s string) string { return excerpt.Quote(s, 40) }

// pathError says where in a value something went wrong.
type pathError struct {
	root string
	path []string // from the inside out
	err  error
}

// Error leaves space for the error at the end of the way, which says what is wrong.
func (e *pathError) Error() string {
	s := "msgpack: " + excerpt.Text(e.root, maxRoot) + e.way() + ": "
	return s + excerpt.Error(e.err, excerpt.MaxPart-len(s))
}

const (
	maxRoot = 100 // of the name of a type, bytes
	maxWay  = 128 // of each end of a way that is cut in the middle, bytes
)

// way returns the steps from the outside in.
func (e *pathError) way() string {
	outer, inner := "", ""
	i := len(e.path)
	for i > 0 && len(outer)+len(e.path[i-1]) <= maxWay {
		i--
		outer += e.path[i]
	}
	j := 0
	for j < i && len(inner)+len(e.path[j]) <= maxWay {
		inner = e.path[j] + inner
		j++
	}
	if j < i {
		outer += "…"
	}
	return outer + inner
}

func (e *pathError) Unwrap() error { return e.err }

// shortError reports a payload that ends before something that it announces.
type shortError string

func (e shortError) Error() string { return string(e) }
func (e shortError) Unwrap() error { return io.ErrUnexpectedEOF }

func short(format string, args ...any) error {
	return shortError(fmt.Sprintf(format, args...))
}

// notUTF8 finds the byte that makes s invalid.
func notUTF8(s string) error {
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n <= 1 {
			return fmt.Errorf("string of %d bytes is not UTF-8: byte %#02x at offset %d", len(s), s[i], i)
		}
		i += n
	}
	return fmt.Errorf("string is not UTF-8")
}
