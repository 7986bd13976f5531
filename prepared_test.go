package qsocket_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket"
)

// A Prepared knows no connection, but has a limit, so that a value whose encoding has no end does
// not take all memory.
func TestPrepareIsBounded(t *testing.T) {
	texts, text := make([]string, 300), strings.Repeat("x", 1<<20)
	for i := range texts {
		texts[i] = text
	}
	p := qsocket.Protocol[[]string]{Codec: qsocket.JSON[[]string]()}
	_, err := p.Prepare(texts)
	if !errors.Is(err, qsocket.ErrFrameTooLarge) || !strings.Contains(err.Error(), "the limit of Prepare, 268435456") {
		t.Errorf("got %v, want ErrFrameTooLarge and the limit", err)
	}
	if _, err := p.Prepare(texts[:2]); err != nil {
		t.Error(err)
	}
	if _, err := (qsocket.Protocol[[]byte]{}).Prepare(make([]byte, 256<<20)); !errors.Is(err, qsocket.ErrFrameTooLarge) {
		t.Errorf("five bytes too many: got %v, want ErrFrameTooLarge", err)
	}
}
