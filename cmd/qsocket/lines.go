package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// lines reads a text line by line.
type lines struct {
	r      *bufio.Reader
	number int // of the line that was read last, from 1
	long   []byte
}

// maxLine is how long a line may be, bytes.
const maxLine = 256 << 20

func newLines(r io.Reader) *lines { return &lines{r: bufio.NewReaderSize(r, 64<<10)} }

// next returns the next line that is not blank, without its end. It is valid until the next call. The
// last line need not have an end. At the end of the text there is io.EOF.
func (l *lines) next() ([]byte, error) {
	for {
		l.number++
		line, err := l.line()
		if line = bytes.TrimSpace(line); len(line) > 0 && (err == nil || err == io.EOF) {
			return line, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func (l *lines) line() ([]byte, error) {
	line, err := l.r.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return line, err
	}
	l.long = append(l.long[:0], line...)
	for errors.Is(err, bufio.ErrBufferFull) {
		line, err = l.r.ReadSlice('\n')
		if len(l.long)+len(line) > maxLine {
			return nil, fmt.Errorf("want at most %d MiB, got more", maxLine>>20)
		}
		l.long = append(l.long, line...)
	}
	return l.long, err
}
