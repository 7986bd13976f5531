package peers

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

const (
	bufferSize = 64 << 10 // of bufio readers and writers, bytes
	headerSize = 4        // big-endian length of the payload
	maxPayload = 16 << 20 // more than any workload sends, bytes
)

// A frameReader cuts frames out of a stream, in place where they fit into its buffer.
type frameReader struct {
	in    *bufio.Reader
	taken int    // bytes of in that the last payload occupies
	large []byte // for payloads that do not fit into in
}

func newFrameReader(r io.Reader) *frameReader {
	return &frameReader{in: bufio.NewReaderSize(r, bufferSize)}
}

// next returns the next payload, which is valid until the next call.
func (r *frameReader) next() ([]byte, error) {
	if r.taken > 0 {
		r.in.Discard(r.taken) // cannot fail: that much is in the buffer
		r.taken = 0
	}
	header, err := r.in.Peek(headerSize)
	if err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint32(header))
	if n > maxPayload {
		return nil, fmt.Errorf("frame of %d bytes, want at most %d", n, maxPayload)
	}
	if headerSize+n <= bufferSize {
		frame, err := r.in.Peek(headerSize + n)
		if err != nil {
			return nil, err
		}
		r.taken = headerSize + n
		return frame[headerSize:], nil
	}
	r.in.Discard(headerSize)
	if cap(r.large) < n {
		r.large = make([]byte, n)
	}
	_, err = io.ReadFull(r.in, r.large[:n])
	return r.large[:n], err
}

// pending reports whether next would return without waiting.
func (r *frameReader) pending() bool {
	buffered := r.in.Buffered() - r.taken
	if buffered < headerSize {
		return false
	}
	b, err := r.in.Peek(r.taken + headerSize)
	return err == nil && buffered >= headerSize+int(binary.BigEndian.Uint32(b[r.taken:]))
}
