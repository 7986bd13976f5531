package qsocket_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket"
)

// codecStamp has its methods on the value, as far as that is possible. Its 13th
// is empty, and its 14th fails.
type codecStamp uint16

func (s codecStamp) MarshalBinary() ([]byte, error) {
	switch s {
	case 13:
		return nil, nil
	case 14:
		return []byte("half"), errors.New("fourteen")
	}
	return binary.BigEndian.AppendUint16(nil, uint16(s)), nil
}

func (s *codecStamp) UnmarshalBinary(b []byte) error {
	if len(b) != 2 {
		return fmt.Errorf("stamp of %d bytes, want 2", len(b))
	}
	*s += codecStamp(binary.BigEndian.Uint16(b)) // += shows what an earlier message left
	return nil
}

// codecBlob has AppendBinary, all on the pointer. Its MarshalBinary is not to be called.
type codecBlob struct{ data []byte }

func (b *codecBlob) AppendBinary(dst []byte) ([]byte, error) {
	for i := range dst[:cap(dst)] { // the room is the method's to use, and nothing else
		dst[:cap(dst)][i] = '!'
	}
	return append(dst, b.data...), nil
}

func (b *codecBlob) MarshalBinary() ([]byte, error) { return nil, errors.New("want AppendBinary") }

func (b *codecBlob) UnmarshalBinary(p []byte) error {
	b.data = append(b.data, p...)
	return nil
}

type (
	codecNoEncoder struct{}
	codecNoDecoder struct{}
	codecMethods   interface {
		MarshalBinary() ([]byte, error)
		UnmarshalBinary([]byte) error
	}
)

func (*codecNoEncoder) UnmarshalBinary([]byte) error  { return nil }
func (codecNoDecoder) MarshalBinary() ([]byte, error) { return nil, nil }

func TestBinary(t *testing.T) {
	t.Run("value", func(t *testing.T) {
		c := qsocket.Binary[codecStamp]()
		enc, dec := c.NewEncoder(), c.NewDecoder()
		for _, want := range []codecStamp{1, 0xabcd, 0, 2} {
			payload := codecAppend(t, enc, want)
			if got := fmt.Sprintf("%x", payload); got != fmt.Sprintf("%04x", uint16(want)) {
				t.Errorf("payload of %v: got %s", want, got)
			}
			if got := codecDecode(t, dec, payload); got != want {
				t.Errorf("got %v, want %v", got, want)
			}
		}
		codecRefuse(t, enc, 13, "empty")
		codecRefuse(t, enc, 14, "fourteen")
		if got := codecDecode(t, dec, codecAppend(t, enc, 15)); got != 15 {
			t.Errorf("after errors: got %v, want 15", got)
		}
		if _, err := dec.Decode([]byte{1}); err == nil || err.Error() != "stamp of 1 bytes, want 2" {
			t.Errorf("got %v, want the method's error", err)
		}
	})

	t.Run("value with methods on the pointer", func(t *testing.T) {
		c := qsocket.Binary[codecBlob]()
		enc, dec := c.NewEncoder(), c.NewDecoder()
		for _, want := range []string{"in place", strings.Repeat("does not fit", 100), "x"} {
			if got := codecDecode(t, dec, codecAppend(t, enc, codecBlob{[]byte(want)})); string(got.data) != want {
				t.Errorf("got %q, want %q", got.data, want)
			}
		}
		codecRefuse(t, enc, codecBlob{}, "empty")
	})

	t.Run("pointer", func(t *testing.T) {
		c := qsocket.Binary[*codecBlob]()
		enc, dec := c.NewEncoder(), c.NewDecoder()
		codecRefuse(t, enc, nil, "nil *qsocket_test.codecBlob")
		first := codecDecode(t, dec, codecAppend(t, enc, &codecBlob{[]byte("first")}))
		second := codecDecode(t, dec, codecAppend(t, enc, &codecBlob{[]byte("second")}))
		if string(first.data) != "first" || string(second.data) != "second" {
			t.Errorf("got %q and %q, want first and second", first.data, second.data)
		}
	})

	t.Run("pointer with methods on the value", func(t *testing.T) {
		c := qsocket.Binary[*codecStamp]()
		enc, dec := c.NewEncoder(), c.NewDecoder()
		codecRefuse(t, enc, nil, "nil *qsocket_test.codecStamp")
		v := codecStamp(7)
		if got := codecDecode(t, dec, codecAppend(t, enc, &v)); *got != v || got == &v {
			t.Errorf("got %v at %p, want %v in its own place", *got, got, v)
		}
	})

	t.Run("empty payload", func(t *testing.T) {
		if _, err := qsocket.Binary[codecStamp]().NewDecoder().Decode(nil); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("value: got %v, want io.ErrUnexpectedEOF", err)
		}
		if _, err := qsocket.Binary[*codecStamp]().NewDecoder().Decode([]byte{}); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("pointer: got %v, want io.ErrUnexpectedEOF", err)
		}
	})
}

func TestBinaryConstruction(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func()
		want string
	}{
		{"no encoder", func() { qsocket.Binary[codecNoEncoder]() }, "method AppendBinary or MarshalBinary, which *qsocket_test.codecNoEncoder does not have"},
		{"no encoder of a pointer", func() { qsocket.Binary[*codecNoEncoder]() }, "method AppendBinary or MarshalBinary, which *qsocket_test.codecNoEncoder does not have"},
		{"no decoder", func() { qsocket.Binary[codecNoDecoder]() }, "method UnmarshalBinary, which *qsocket_test.codecNoDecoder does not have"},
		{"nothing", func() { qsocket.Binary[int]() }, "*int does not have"},
		{"pointer to pointer", func() { qsocket.Binary[**codecStamp]() }, "**qsocket_test.codecStamp does not have"},
		{"interface", func() { qsocket.Binary[codecMethods]() }, "cannot decode into qsocket_test.codecMethods"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, tt.want) {
					t.Errorf("got panic %q, want one with %q", got, tt.want)
				}
			}()
			tt.make()
		})
	}
}

func TestBinaryAllocations(t *testing.T) {
	c := qsocket.Binary[codecBlob]()
	enc := c.NewEncoder()
	v := codecBlob{[]byte("data")}
	buf := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := enc.Append(buf, v); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("encode: got %v allocations, want 0", n)
	}
}
