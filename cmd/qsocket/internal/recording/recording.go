// Package recording writes and reads what qsocket tap has seen: the bytes of both directions of
// connections, with the times at which they came.
//
// # Format
//
// A file begins with the line "qsocket recording 1\n". Entries follow, one behind the other, until
// the file ends. Numbers are big-endian.
//
//	bytes
//	1      kind: I, O, D or E
//	1      direction: 0 from the client, 1 from the server; 0 where there is none
//	4      number of the connection, from 1; 0 where there is none
//	8      time, in nanoseconds since 1970
//	4      length of what follows, at most 1,048,576
//	…      that
//	4      CRC-32 (IEEE) of all of that
//
//	I      info, the first entry: JSON, {"to":"tcp://…","codec":"","framing":"Uint32"}; codec and
//	       framing are those of raw mode, without them the connections are in named mode
//	O      a connection begins: the address of the client
//	D      bytes, as they came: they may end inside of a frame
//	E      a direction has ended: "" for a FIN, otherwise why
//
// A reader skips kinds that it does not know. A file that was cut, because the machine or the disk
// failed, is read up to the entry that is not whole.
package recording

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"
)

// Magic is what a recording begins with.
const Magic = "qsocket recording 1\n"

const (
	maxEntry = 1 << 20
	head     = 1 + 1 + 4 + 8 + 4
)

// Kind is what an entry is.
type Kind byte

const (
	Info Kind = 'I'
	Open Kind = 'O'
	Data Kind = 'D'
	End  Kind = 'E'
)

// Side is who has sent something.
type Side uint8

const (
	Client Side = iota
	Server
)

// String returns "client" or "server".
func (s Side) String() string {
	if s == Server {
		return "server"
	}
	return "client"
}

// Entry is one entry.
type Entry struct {
	Kind Kind
	From Side
	Conn uint32
	Time time.Time
	Data []byte // of a Reader: valid until the next call
}

// About is what an Info says.
type About struct {
	To      string `json:"to"`
	Codec   string `json:"codec,omitempty"`
	Framing string `json:"framing,omitempty"` // "": named mode
}

// Writer writes a recording. It does not buffer: an entry is one Write.
type Writer struct {
	w   io.Writer
	buf []byte
}

// NewWriter begins a recording.
func NewWriter(w io.Writer, about About, now time.Time) (*Writer, error) {
	if _, err := io.WriteString(w, Magic); err != nil {
		return nil, err
	}
	info, err := json.Marshal(about)
	if err != nil {
		return nil, err
	}
	r := &Writer{w: w}
	return r, r.Write(&Entry{Kind: Info, Time: now, Data: info})
}

// Write writes an entry. Data of more than 1 MiB become several.
func (w *Writer) Write(e *Entry) error {
	data := e.Data
	for {
		n := min(len(data), maxEntry)
		b := append(w.buf[:0], byte(e.Kind), byte(e.From))
		b = binary.BigEndian.AppendUint32(b, e.Conn)
		b = binary.BigEndian.AppendUint64(b, uint64(e.Time.UnixNano()))
		b = binary.BigEndian.AppendUint32(b, uint32(n))
		b = append(b, data[:n]...)
		b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
		w.buf = b
		if _, err := w.w.Write(b); err != nil {
			return err
		}
		if data = data[n:]; len(data) == 0 {
			return nil
		}
	}
}

// Reader reads a recording.
type Reader struct {
	About About

	r    *bufio.Reader
	at   int64 // where the next entry begins
	data []byte
}

// ErrCut is the error for a recording whose last entry is not whole, or not what was written. What
// comes before it is good.
var ErrCut = errors.New("the recording ends inside of an entry")

// NewReader reads the beginning of a recording.
func NewReader(r io.Reader) (*Reader, error) {
	d := &Reader{r: bufio.NewReaderSize(r, 64<<10)}
	line := make([]byte, len(Magic))
	if n, err := io.ReadFull(d.r, line); err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, err
	} else if string(line[:n]) != Magic {
		return nil, fmt.Errorf("no recording: want a file that begins with %q, got %.24q", Magic, line[:n])
	}
	d.at = int64(len(Magic))
	e, err := d.Next()
	if err == nil && e.Kind != Info {
		err = fmt.Errorf("the first entry is of the kind %q, want %q", e.Kind, Info)
	}
	if err == nil {
		err = json.Unmarshal(e.Data, &d.About)
	}
	if err == io.EOF {
		err = ErrCut
	}
	if err != nil {
		return nil, fmt.Errorf("recording: %w", err)
	}
	return d, nil
}

// Next reads the next entry. At the end of the file there is io.EOF, or ErrCut.
func (d *Reader) Next() (*Entry, error) {
	var h [head]byte
	n, err := io.ReadFull(d.r, h[:])
	switch {
	case err == io.EOF:
		return nil, io.EOF
	case err == io.ErrUnexpectedEOF:
		return nil, d.cut("%d of %d bytes of its head are there", n, head)
	case err != nil:
		return nil, err
	}
	size := binary.BigEndian.Uint32(h[14:])
	if size > maxEntry {
		return nil, d.cut("its length is %d bytes, want at most %d", size, maxEntry)
	}
	e := &Entry{Kind: Kind(h[0]), From: Side(h[1]), Conn: binary.BigEndian.Uint32(h[2:]), Time: time.Unix(0, int64(binary.BigEndian.Uint64(h[6:])))}
	if e.From > Server {
		return nil, d.cut("its direction is %d, want 0 or 1", e.From)
	}
	need := int(size) + crc32.Size
	if cap(d.data) < need {
		d.data = make([]byte, need)
	}
	d.data = d.data[:need]
	if n, err = io.ReadFull(d.r, d.data); err == io.EOF || err == io.ErrUnexpectedEOF {
		return nil, d.cut("%d of its %d bytes are there", n, need)
	} else if err != nil {
		return nil, err
	}
	e.Data = d.data[:size:size]
	sum := crc32.Update(crc32.ChecksumIEEE(h[:]), crc32.IEEETable, e.Data)
	if got := binary.BigEndian.Uint32(d.data[size:]); got != sum {
		return nil, d.cut("its checksum is %08x, want %08x", got, sum)
	}
	d.at += int64(head + need)
	return e, nil
}

func (d *Reader) cut(format string, args ...any) error {
	return fmt.Errorf("%w, which begins at byte %d: %s", ErrCut, d.at, fmt.Sprintf(format, args...))
}
