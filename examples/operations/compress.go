package operations

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/fb9bb4ed/qsocket"
)

// compressed is codec, which must be stateless, with each payload compressed by itself. A payload
// may become most bytes.
func compressed[T any](codec qsocket.Codec[T], most int64) qsocket.Codec[T] {
	return qsocket.Stateless("deflate("+codec.Name()+")", func(v T) ([]byte, error) {
		plain, err := codec.NewEncoder().Append(nil, v)
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		w := compressors.Get().(*flate.Writer)
		defer compressors.Put(w)
		w.Reset(&b)
		_, err = w.Write(plain)
		err = errors.Join(err, w.Close())
		return b.Bytes(), err
	}, func(payload []byte, v *T) error {
		rest := bytes.NewReader(payload)
		plain, err := io.ReadAll(io.LimitReader(flate.NewReader(rest), most+1))
		if err == nil && (int64(len(plain)) > most || rest.Len() > 0) {
			err = fmt.Errorf("want at most %d bytes, and nothing behind them", most)
		}
		if err == nil {
			*v, err = codec.NewDecoder().Decode(plain)
		}
		return err
	})
}

// compressors are used again: one takes more than half a megabyte.
var compressors = sync.Pool{New: func() any { return newCompressor(nil) }}

func newCompressor(w io.Writer) *flate.Writer {
	c, err := flate.NewWriter(w, 7) // from Go 1.27 on, levels below find little in what came before a flush
	if err != nil {
		panic(err) // there is no such level
	}
	return c
}

// deflated is a connection whose bytes are compressed in both directions.
type deflated struct {
	net.Conn
	in io.Reader

	mu  sync.Mutex // guards out
	out *flate.Writer
}

func deflate(nc net.Conn) net.Conn {
	return &deflated{Conn: nc, in: flate.NewReader(nc), out: newCompressor(nc)}
}

func (c *deflated) Read(p []byte) (int, error) { return c.in.Read(p) }

// Write flushes: what is left in the compressor, the peer waits for.
func (c *deflated) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, err := c.out.Write(p)
	if err == nil {
		err = c.out.Flush()
	}
	return n, err
}

func (c *deflated) CloseWrite() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return errors.Join(c.out.Close(), c.Conn.(interface{ CloseWrite() error }).CloseWrite())
}

func (c *deflated) NetConn() net.Conn { return c.Conn }

// SetReadDeadline fails, and the library does without it: a decompressor does not go on after an
// error, so a Recv whose ctx ends would cost the connection. SetDeadline likewise.
func (c *deflated) SetReadDeadline(time.Time) error { return errors.ErrUnsupported }
func (c *deflated) SetDeadline(time.Time) error     { return errors.ErrUnsupported }
