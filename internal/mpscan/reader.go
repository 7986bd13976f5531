package mpscan

import (
	"fmt"
	"io"
)

// A Reader hands one value that Scan has accepted to a decoder of v5.
//
// That decoder reads headers byte by byte, with ReadByte, and what they announce
// in one piece, with Read. Code of the program that is called in between may
// read from the same decoder, and could leave it in the middle of a str, bin or
// extension, whose content Scan has not looked at as values. v5 itself does so
// where it expects a map and finds an extension: it skips the extension's header
// and takes what follows for the map. So ReadByte follows the decoder from
// header to header, and checks the content of a value before any of it is read
// as a header.
type Reader struct {
	// Extension says that the value is an extension whose registered decoder is
	// to read it: then what it contains may begin like a map.
	Extension bool

	scan  *Scanner
	b     []byte
	i     int // next byte
	after int // where the last ReadByte ended, if nothing was done since; or 0
	token token
	open  []int // where the contents end that have been entered, the innermost one last
}

// Reset begins a value. scan is used for what the value contains.
func (r *Reader) Reset(b []byte, scan *Scanner, extension bool) {
	*r = Reader{Extension: extension, scan: scan, b: b, open: r.open[:0]}
}

// Len returns how many bytes have not been read.
func (r *Reader) Len() int { return len(r.b) - r.i }

// Read is for content. After the end there is io.ErrUnexpectedEOF: io.EOF would
// look like the clean end of a connection.
func (r *Reader) Read(p []byte) (int, error) {
	if r.i == len(r.b) && len(p) > 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n := copy(p, r.b[r.i:])
	r.i += n
	r.after = 0
	return n, nil
}

// ReadByte is for headers.
func (r *Reader) ReadByte() (byte, error) {
	if r.i == len(r.b) {
		return 0, io.ErrUnexpectedEOF
	}
	for r.token.end <= r.i {
		r.token = tokenAt(r.b, r.token.end)
	}
	// What is in a header goes on from its first byte.
	if r.i != r.token.start && (r.i >= r.token.header || r.i != r.after) {
		if err := r.enter(r.token); err != nil {
			return 0, err
		}
	}
	r.i++
	r.after = r.i
	return r.b[r.i-1], nil
}

// enter checks what is left of the content of t, in which the decoder is about
// to read a header.
func (r *Reader) enter(t token) error {
	content := r.b[r.i:t.end]
	if t.kind == ext && r.i == t.header && mapLike(content[0]) && !(r.Extension && t.start == 0) {
		return fmt.Errorf("extension with its data at byte %d, where a map is expected", r.i)
	}
	for n := len(r.open); n > 0 && r.open[n-1] <= r.i; n-- {
		r.open = r.open[:n-1]
	}
	if len(r.open) == MaxDepth { // each of which may have as many levels
		return fmt.Errorf("content at byte %d read as values: it is in more than %d other contents", r.i, MaxDepth)
	}
	r.open = append(r.open, t.end)
	if err := r.scan.Sequence(content); err != nil {
		return fmt.Errorf("content at byte %d read as values: %w", r.i, err)
	}
	r.token = tokenAt(r.b, r.i)
	return nil
}

// UnreadByte takes back what ReadByte returned last.
func (r *Reader) UnreadByte() error {
	if r.i == 0 {
		return fmt.Errorf("nothing to unread")
	}
	r.i--
	r.after = 0
	return nil
}
