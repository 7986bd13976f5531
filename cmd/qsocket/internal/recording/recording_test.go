package recording_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/recording"
)

var began = time.Unix(1_700_000_000, 123_456_789)

// made returns a recording with an entry of each kind, and one of a kind of a later version.
func made(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := recording.NewWriter(&b, recording.About{To: "tcp://x:1", Codec: "json", Framing: "Uint16"}, began)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range []recording.Entry{
		{Kind: recording.Open, Conn: 1, Data: []byte("127.0.0.1:1")},
		{Kind: recording.Data, Conn: 1, Data: []byte("hello")},
		{Kind: 'S', Conn: 1, From: recording.Server, Data: []byte("text")},
		{Kind: 'Z', Conn: 9},
		{Kind: recording.Data, Conn: 1, From: recording.Server, Data: bytes.Repeat([]byte("x"), 1<<20+5)},
		{Kind: recording.End, Conn: 1},
	} {
		e.Time = began.Add(time.Duration(i) * time.Millisecond)
		if err := w.Write(&e); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// read returns what is in a recording, and the error at its end.
func read(b []byte) (list []string, err error) {
	r, err := recording.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	list = append(list, fmt.Sprint(r.About))
	for {
		e, err := r.Next()
		if err != nil {
			return list, err
		}
		list = append(list, fmt.Sprintf("%c %v %d %v %d %.12q", e.Kind, e.From, e.Conn, e.Time.Sub(began), len(e.Data), e.Data))
	}
}

func TestThereAndBack(t *testing.T) {
	want := []string{
		"{tcp://x:1 json Uint16}",
		`O client 1 0s 11 "127.0.0.1:1"`, `D client 1 1ms 5 "hello"`, `S server 1 2ms 4 "text"`, `Z client 9 3ms 0 ""`,
		`D server 1 4ms 1048576 "xxxxxxxxxxxx"`, `D server 1 4ms 5 "xxxxx"`, `E client 1 5ms 0 ""`,
	}
	got, err := read(made(t))
	if fmt.Sprint(got) != fmt.Sprint(want) || err != io.EOF {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

// Wherever a file was cut, what is whole is read; and what was changed is not taken for good.
func TestCut(t *testing.T) {
	whole := made(t)
	all, _ := read(whole)
	for n := range 400 {
		got, err := read(whole[:n])
		if len(got) > 0 && fmt.Sprint(got) != fmt.Sprint(all[:len(got)]) {
			t.Fatalf("cut at %d: got %q", n, got)
		}
		if err == nil || err != io.EOF && !errors.Is(err, recording.ErrCut) && !strings.Contains(err.Error(), "no recording") {
			t.Fatalf("cut at %d: got %v", n, err)
		}
	}
	for n := 20; n < 200; n++ {
		changed := bytes.Clone(whole)
		changed[n] ^= 0x10
		if _, err := read(changed); err == nil || err == io.EOF {
			t.Fatalf("changed at %d: got %v, want an error", n, err)
		}
	}
	last, err := read(whole[:len(whole)-1])
	if !errors.Is(err, recording.ErrCut) || len(last) != len(all)-1 || !strings.Contains(err.Error(), "begins at byte") {
		t.Errorf("got %d entries, %v", len(last), err)
	}
}

type failing struct{ left int }

func (f *failing) Write(b []byte) (int, error) {
	if f.left -= len(b); f.left < 0 {
		return 0, io.ErrShortWrite
	}
	return len(b), nil
}

func TestWriterFails(t *testing.T) {
	for n := range 100 {
		if _, err := recording.NewWriter(&failing{n}, recording.About{}, began); (err == nil) != (n >= 51) && err != io.ErrShortWrite {
			t.Errorf("with %d bytes: got %v", n, err)
		}
	}
}

func FuzzReader(f *testing.F) {
	whole := made(f)
	f.Add(whole[:len(whole)-(1<<20)])
	f.Add(whole[:150])
	f.Add([]byte("qsocket recording 1\n"))
	f.Add(binary.BigEndian.AppendUint32([]byte("qsocket recording 1\nI\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), 1<<31))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := read(b)
		if err == nil {
			t.Error("no end")
		}
		if len(got) > 1+len(b)/22 {
			t.Errorf("%d entries in %d bytes", len(got), len(b))
		}
	})
}
