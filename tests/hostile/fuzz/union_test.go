package fuzz

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/google/go-cmp/cmp"
)

// fuzzUnknown is what an Otherwise was given.
type fuzzUnknown struct {
	Tag     uint64
	Payload string
}

func (fuzzUnknown) IsEvent() {}

// FuzzUnion reads payloads of a Union. What is a tag is as package binary says.
func FuzzUnion(f *testing.F) {
	for _, s := range []string{
		"", "\x00", "\x01", "\x01abc", "\x02x", "\x03", "\xac\x02abc", "\xac\x02", "\xad\x02x", "\x80", "\x81\x00", "\x80\x00", "\xff",
		"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
		"\xff\xff\xff\xff\xff\xff\xff\xff\x7f1",
	} {
		f.Add([]byte(s))
	}
	reasons := qsocket.Stateless("reason",
		func(v testkit.Reason) ([]byte, error) { return []byte(v), nil },
		func(payload []byte, v *testkit.Reason) error {
			if *v = testkit.Reason(payload); *v == "" {
				return errors.New("no reason")
			}
			return nil
		})
	ticks := qsocket.Stateless("tick",
		func(testkit.Tick) ([]byte, error) { return nil, nil },
		func(payload []byte, _ *testkit.Tick) error {
			if len(payload) != 0 {
				return errors.New("want nothing")
			}
			return nil
		})
	cases := []qsocket.Variant[testkit.Event]{qsocket.Case[testkit.Event](1, ticks), qsocket.Case[testkit.Event](300, reasons)}
	otherwise := qsocket.Otherwise(func(tag uint64, payload []byte) (testkit.Event, error) {
		return fuzzUnknown{tag, string(payload)}, nil
	})
	closed := qsocket.Union(cases...)
	open := qsocket.Union(append(cases, otherwise)...)

	f.Fuzz(func(t *testing.T, payload []byte) {
		tag, n := binary.Uvarint(payload)
		isTag := n > 0 && n == len(binary.AppendUvarint(nil, tag))
		known := isTag && (tag == 1 || tag == 300)
		v, err := closed.NewDecoder().Decode(payload)
		w, openErr := open.NewDecoder().Decode(payload)
		switch {
		case !isTag || known:
			if !cmp.Equal(v, w) || fmt.Sprint(err) != fmt.Sprint(openErr) {
				t.Fatalf("got %v, %v, and with an Otherwise %v, %v", v, err, w, openErr)
			}
			if !isTag && err == nil {
				t.Fatalf("got %v of a payload without a tag", v)
			}
		default:
			if want := fmt.Sprintf("unknown tag %d, want one of [1 300]", tag); err == nil || !strings.Contains(err.Error(), want) {
				t.Fatalf("got %v, %v, want %q", v, err, want)
			}
			if want := (fuzzUnknown{tag, string(payload[n:])}); openErr != nil || w != want {
				t.Fatalf("Otherwise: got %v, %v, want %v", w, openErr, want)
			}
		}
		if err == nil { // what is accepted is what would have been sent
			if b, err := closed.NewEncoder().Append(nil, v); err != nil || string(b) != string(payload) {
				t.Fatalf("%v is encoded as %x, %v, want %x", v, b, err, payload)
			}
		}
	})
}
