package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/fb9bb4ed/qsocket/internal/excerpt"
)

// The exit codes.
const (
	exitWell  = 0 // all is well
	exitFound = 1 // the command ran, and what it found is not well
	exitUsage = 2 // it could not ask: a wrong option, a file that cannot be read
)

// codedError is an error with an exit code of its own. Any other means exitFound.
type codedError struct {
	err  error // nil: all has been said
	code int
}

func (e *codedError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *codedError) Unwrap() error { return e.err }

// usage makes err one of the command line.
func usage(err error) error {
	if err == nil {
		return nil
	}
	return &codedError{err, exitUsage}
}

// usagef is usage of a text.
func usagef(format string, args ...any) error { return usage(fmt.Errorf(format, args...)) }

// silently is the exit code alone: what there is to say has been printed.
func silently(code int) error { return &codedError{nil, code} }

// complain prints an error as one line. Words of peers may be in it.
func (p *program) complain(err error) {
	var coded *codedError
	if errors.As(err, &coded) && coded.err == nil {
		return
	}
	fmt.Fprintln(p.err, "qsocket:", excerpt.Text(plain(err), maxComplaint))
}

// plain is the text of an error without the library's name, which is the program's as well.
func plain(err error) string { return strings.ReplaceAll(": "+err.Error(), ": qsocket: ", ": ")[2:] }

const maxComplaint = 4096 // bytes
