package excerpt

import (
	"fmt"
	"reflect"
)

// Words returns err.Error(), whole but for what the standard library quotes. An err that is a nil pointer, or whose Error panics,
// has a text all the same: it is shown on goroutines where a panic would end the program.
func Words(err error) string {
	text, _ := words(err)
	return text
}

// words is Words, and reports whether the method of err has returned.
func words(err error) (text string, ok bool) {
	defer func() {
		if ok {
			return
		}
		_ = recover()
		if v := reflect.ValueOf(err); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
			text = "<nil>"
		} else {
			text = fmt.Sprintf("(the method Error of a %T panics)", err)
		}
	}()
	return shorter(err).Error(), true
}

// Error returns an excerpt of the text of err, of at most most bytes.
func Error(err error, most int) string { return Text(Words(err), most) }

// Wrap returns an error whose text is prefix and an excerpt of err's, and which unwraps to
// err. Unlike fmt.Errorf it asks for err's text when it is asked for its own, and does not
// keep it.
func Wrap(prefix string, err error) error { return &wrapped{prefix, err} }

type wrapped struct {
	prefix string
	err    error
}

func (e *wrapped) Unwrap() error { return e.err }

func (e *wrapped) Error() string {
	prefix, err := e.prefix, e.err
	for { // so that what is wrapped several times is cut once
		inner, ok := err.(*wrapped)
		if !ok {
			return Text(prefix+Error(err, MaxPart), MaxText)
		}
		prefix, err = prefix+inner.prefix, inner.err
	}
}

// Pair returns the text of an error and of its cause, for one that wraps both.
func Pair(err, cause error) string {
	return Text(Words(err)+": "+Error(cause, MaxPart), MaxText)
}

// Join returns an error that wraps those of errs that are not nil, or nil if there are
// none, as errors.Join does; but its text is one line, and an excerpt.
func Join(errs ...error) error {
	var j joined
	for _, err := range errs {
		if err != nil {
			j = append(j, err)
		}
	}
	if len(j) == 0 {
		return nil
	}
	return j
}

type joined []error

func (e joined) Unwrap() []error { return e }

func (e joined) Error() string {
	text := ""
	for i, err := range e {
		if len(text) > MaxPart {
			return Text(text, MaxPart) + fmt.Sprintf("; and %s more errors", Count(len(e)-i))
		}
		if i > 0 {
			text += "; "
		}
		text += Error(err, MaxPart)
	}
	return Text(text, MaxText)
}
