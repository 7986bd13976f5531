package frames_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/internal/wire"

	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/frames"
)

// cut feeds stream in pieces of n bytes, and returns what comes out.
func cut(s *frames.Splitter, stream []byte, n int) (list []string, err error) {
	total := uint64(0)
	for at := 0; at < len(stream) && err == nil; at += n {
		piece := stream[at:min(at+n, len(stream))]
		err = s.Feed(piece, func(f *frames.Frame, end int) {
			total += f.Wire
			body := fmt.Sprintf("%.20q", f.Body)
			if f.Body == nil {
				body = "not kept"
			}
			if uint64(at+end) != total {
				body += fmt.Sprintf(" which ends at %d, and not %d", at+end, total)
			}
			list = append(list, fmt.Sprintf("%d/%d %d %s", f.Kind, f.Control, f.Size, body))
		})
	}
	return list, err
}

func TestSplitter(t *testing.T) {
	hello := testkit.Unhex(testkit.GoldenHello)
	named := bytes.Join([][]byte{hello, {0, 0, 0, 2, 'h', 'i'}, {0, 0, 0, 0}, wire.HeartbeatFrame, wire.Goodbye{}.Frame(),
		append([]byte{0, 0, 1, 0}, bytes.Repeat([]byte{'x'}, 256)...)}, nil)
	want := []string{fmt.Sprintf("2/0 %d %.20q", len(hello)-8, hello[8:]), `0/0 2 "hi"`, `0/0 0 ""`, `1/2 0 ""`, `1/1 1 "\x80"`, "0/0 256 not kept"}
	for _, n := range []int{1, 2, 3, 5, 7, 64, len(named)} {
		s := frames.New(200)
		if s.Open() {
			t.Error("open before it has begun")
		}
		got, err := cut(s, named, n)
		if fmt.Sprint(got) != fmt.Sprint(want) || err != nil || s.Open() {
			t.Errorf("in pieces of %d: got %q, %v, want %q", n, got, err, want)
		}
		if _, err := cut(s, []byte{0, 0}, 1); err != nil || !s.Open() {
			t.Errorf("not open in a header: %v", err)
		}
	}
	for f := range wire.NumFramings {
		var stream []byte
		for _, payload := range []string{"hello", "", strings.Repeat("x", 201)} {
			start := len(stream)
			stream = f.SealFrame(append(f.OpenFrame(stream), payload...), start)
		}
		want := []string{`0/0 5 "hello"`, `0/0 0 ""`, "0/0 201 not kept"}
		for _, n := range []int{1, 2, 3, 4, 100, len(stream)} {
			s := frames.NewRaw(f, 200)
			if got, err := cut(s, stream, n); fmt.Sprint(got) != fmt.Sprint(want) || err != nil || !s.Raw() {
				t.Errorf("%v in pieces of %d: got %q, %v, want %q", f, n, got, err, want)
			}
		}
	}
}

func TestSplitterGivesUp(t *testing.T) {
	hello := testkit.Unhex(testkit.GoldenHello)
	for _, test := range []struct {
		s      *frames.Splitter
		stream string
		want   string
	}{
		{frames.New(1), "GET / HTTP/1.1\r\n", "no hello"},
		{frames.New(1), "QSK\x02", "no hello"},
		{frames.New(1), "QSK\x01\x00\x00\x10\x01", "its length is 4097 bytes"},
		{frames.New(1), string(hello) + "\x80\x00\x00\x00", "control frame of 0 bytes"},
		{frames.New(1), string(hello) + "\x80\x00\x10\x01", "control frame of 4097 bytes"},
		{frames.NewRaw(wire.Netstring, 1), "x", "protocol violation"},
		{frames.NewRaw(wire.Netstring, 100), "1:xx", "protocol violation"},
		{frames.NewRaw(wire.Netstring, 1), "2:xxx", "protocol violation"},
		{frames.NewRaw(wire.Uvarint, 1), "\x80\x00", "protocol violation"},
	} {
		for _, n := range []int{1, len(test.stream)} {
			s := *test.s
			_, err := cut(&s, []byte(test.stream), n)
			if err == nil || !strings.Contains(err.Error(), test.want) || s.Err() == nil {
				t.Errorf("%q: got %v, want %s", test.stream, err, test.want)
			}
			if again := s.Feed([]byte("x"), nil); !errors.Is(again, s.Err()) || again == nil {
				t.Errorf("it goes on after an error: %v", again)
			}
		}
	}
}

// A Splitter that has lost a part of the stream goes on at a frame.
func TestJoin(t *testing.T) {
	s := frames.New(100)
	if _, err := cut(s, append(testkit.Unhex(testkit.GoldenHello), 0, 0, 0, 9, 'x'), 3); err != nil || !s.Open() {
		t.Fatal(err)
	}
	s.Join()
	got, err := cut(s, []byte{0, 0, 0, 2, 'h', 'i'}, 4)
	if want := `[0/0 2 "hi"]`; fmt.Sprint(got) != want || err != nil {
		t.Errorf("got %q, %v, want %s", got, err, want)
	}
}

// A frame that is announced and does not come costs nothing, and one that is not kept none of its
// size.
func TestSplitterKeepsNothing(t *testing.T) {
	stream := binary.BigEndian.AppendUint32(testkit.Unhex(testkit.GoldenHello), 1<<31-1)
	s := frames.New(1 << 20)
	if _, err := cut(s, stream, len(stream)); err != nil {
		t.Fatal(err)
	}
	piece := make([]byte, 1<<16)
	if n := testing.AllocsPerRun(100, func() { _ = s.Feed(piece, nil) }); n > 0 {
		t.Errorf("%v allocations for a piece that is not kept", n)
	}
}

func FuzzSplitter(f *testing.F) {
	f.Add(testkit.Unhex(testkit.GoldenHello), uint8(1))
	f.Add(append(testkit.Unhex(testkit.GoldenHello), "\x80\x00\x00\x01\x02\x00\x00\x00\x01x"...), uint8(3))
	f.Add([]byte("5:hello,0:,"), uint8(2))
	f.Add([]byte("\x85\x01xxxxxxx"), uint8(7))
	f.Fuzz(func(t *testing.T, stream []byte, n uint8) {
		makers := []func() *frames.Splitter{func() *frames.Splitter { return frames.New(50) }}
		for framing := range wire.NumFramings {
			makers = append(makers, func() *frames.Splitter { return frames.NewRaw(framing, 50) })
		}
		for _, make := range makers {
			whole, err := cut(make(), stream, max(len(stream), 1))
			parts, err2 := cut(make(), stream, int(n)+1)
			if fmt.Sprint(whole) != fmt.Sprint(parts) || (err == nil) != (err2 == nil) {
				t.Fatalf("%q, %v; in pieces of %d %q, %v", whole, err, n+1, parts, err2)
			}
		}
	})
}
