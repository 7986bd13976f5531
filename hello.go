package qsocket

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/schema"
)

// The hello is what each end of a named protocol sends first, without waiting
// for the other: the magic, the version of the wire format, and a frame with a map.
const (
	magic       = "QSK"
	wireVersion = 1
	maxHello    = 4096 // the map, bytes
)

// hello is that map. Keys that are not known are ignored.
type hello struct {
	Proto string  `msgpack:"proto"`           // Protocol.Name
	Codec string  `msgpack:"codec"`           // Codec.Name()
	Max   *uint64 `msgpack:"max"`             // largest payload that the end accepts, bytes
	Beat  uint64  `msgpack:"hb"`              // the longest silence that it wants from its peer, ms; 0: it does not care
	Types string  `msgpack:"types,omitempty"` // fingerprint of the message types
	Desc  uint64  `msgpack:"desc,omitempty"`  // length of their description, bytes, sent if the fingerprints differ
	Lines string  `msgpack:"nl"`              // two ends of line, for which a server of HTTP and the like waits before it answers
}

var helloCodec = Msgpack[hello]()

// newHello returns what this end has to say of itself, and the description of
// its message types that goes with it.
func newHello[T any](p Protocol[T], opts *Options) (h hello, types string) {
	limit := uint64(min(opts.MaxFrame, maxNamedFrame))
	h = hello{
		Proto: p.Name,
		Codec: p.codec().Name(),
		Max:   &limit,
		Beat:  uint64(opts.Heartbeat / time.Millisecond),
		Lines: "\r\n\r\n",
	}
	if types = p.Schema(); types != "" && len(types) <= maxTypes {
		h.Types, h.Desc = schema.Fingerprint(types), uint64(len(types))
	}
	return h, types
}

// append appends the whole hello, as it is sent.
func (h *hello) append(b []byte) []byte {
	b = append(b, magic...)
	b = append(b, wireVersion, 0, 0, 0, 0)
	start := len(b)
	b, err := helloCodec.NewEncoder().Append(b, *h)
	if err != nil {
		panic(err) // the names have been checked
	}
	binary.BigEndian.PutUint32(b[start-4:], uint32(len(b)-start))
	return b
}

// peer returns what h tells.
func (h *hello) peer() *Peer {
	const longest = uint64(1<<63-1) / uint64(time.Millisecond)
	return &Peer{
		MaxFrame:  int(min(*h.Max, maxNamedFrame)),
		Heartbeat: time.Duration(min(h.Beat, longest)) * time.Millisecond,
		Types:     h.Types,
	}
}

// check returns why an end with the hello h cannot talk to one with the hello
// theirs. Both ends come to the same result.
func (h *hello) check(theirs *hello) error {
	switch {
	case h.Proto != theirs.Proto:
		return &HandshakeError{Field: "proto", Local: h.Proto, Peer: theirs.Proto}
	case h.Codec != theirs.Codec:
		return &HandshakeError{Field: "codec", Local: h.Codec, Peer: theirs.Codec}
	}
	return nil
}

// exchange sends h over nc and returns the hello of the peer. It reads no byte
// beyond it.
func (h *hello) exchange(ctx context.Context, nc net.Conn) (theirs *hello, err error) {
	err = exchange(ctx, nc, h.append(nil), func(r io.Reader) (err error) {
		theirs, err = readHello(r)
		return err
	})
	return theirs, err
}

// exchange sends words and reads what the peer sends at the same time: neither
// end waits for the other. When ctx ends it returns an error that wraps ctx's,
// and nc is of no use any more.
func exchange(ctx context.Context, nc net.Conn, words []byte, read func(io.Reader) error) error {
	stop := context.AfterFunc(ctx, func() {
		if nc.SetDeadline(past) != nil { // it has none, or is closed
			_ = nc.Close()
		}
	})
	sent := make(chan error, 1)
	go func() { // ends when the peer has taken them, at a deadline, or when nc is closed
		_, err := nc.Write(words)
		sent <- err
	}()
	err := read(nc)
	switch {
	case err == nil:
	case isRefusal(err): // it may be on its way to reading ours
		_ = nc.SetWriteDeadline(time.Now().Add(refusalLinger))
	default:
		_ = nc.SetWriteDeadline(past)
	}
	sendErr := <-sent
	if !stop() {
		return fmt.Errorf("qsocket: handshake: %w before the peer's hello had come", ctx.Err())
	}
	if err == nil && sendErr != nil {
		err = silentPeer(sendErr)
	}
	return err
}

// readHello reads the hello of the peer.
func readHello(r io.Reader) (*hello, error) {
	var header [len(magic) + 1 + 4]byte
	n := 0
	for n < len(header) {
		k, err := r.Read(header[n:])
		if k > 0 || n > 0 {
			n += k
			if refusal := checkMagic(header[:n]); refusal != nil {
				return nil, refusal
			}
		}
		if err != nil && n < len(header) {
			return nil, silentPeer(err)
		}
	}
	size := binary.BigEndian.Uint32(header[len(header)-4:])
	if size > maxHello {
		return nil, refusedHello(fmt.Sprintf("of at most %d bytes", maxHello), fmt.Sprintf("its length is %d bytes", size))
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, silentPeer(err)
	}
	h, err := helloCodec.NewDecoder().Decode(body)
	if err == nil && h.Max == nil {
		err = errors.New(`the key "max" is missing`)
	}
	if err == nil && h.Desc > maxTypes {
		err = fmt.Errorf("desc is %d, want at most %d", h.Desc, maxTypes)
	}
	if err != nil {
		return nil, refusedHello("a MessagePack map with proto, codec and max", err.Error())
	}
	return &h, nil
}

// checkMagic checks as much of the first bytes as there is.
func checkMagic(b []byte) error {
	n := min(len(b), len(magic))
	if string(b[:n]) != magic[:n] {
		found := sniff(b)
		if found == "" {
			found = "peer runs raw mode or another protocol: it sent " + quoteBytes(b)
		}
		return &HandshakeError{Field: "magic", Local: "beginning with " + magic, Peer: found}
	}
	if len(b) > n && b[n] != wireVersion {
		return &HandshakeError{Field: "version", Local: strconv.Itoa(wireVersion), Peer: strconv.Itoa(int(b[n]))}
	}
	return nil
}

// silentPeer is the error for a peer that ends, or fails, before its hello has come.
func silentPeer(err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return &brokenHello{HandshakeError{
		Field: "hello",
		Local: "beginning with " + magic,
		Peer:  "the connection ended before one came; peer runs raw mode or another protocol, or is gone",
	}, err}
}

// brokenHello is a HandshakeError that has a cause.
type brokenHello struct {
	HandshakeError
	cause error
}

func (e *brokenHello) Error() string   { return e.HandshakeError.Error() + ": " + e.cause.Error() }
func (e *brokenHello) Unwrap() []error { return []error{&e.HandshakeError, e.cause} }

// isRefusal reports whether err is about what the peer has said, and not about
// the connection.
func isRefusal(err error) bool {
	var broken *brokenHello
	return !errors.As(err, &broken)
}

// late is the error for a handshake that was not over in time.
func late(err error, timeout time.Duration) error {
	if strings.HasPrefix(err.Error(), tlsPrefix) {
		return lateTLS(timeout)
	}
	return &brokenHello{HandshakeError{
		Field: "hello",
		Local: "within HandshakeTimeout",
		Peer:  fmt.Sprintf("none came for %v; peer runs raw mode or another protocol, or is stuck", timeout),
	}, os.ErrDeadlineExceeded}
}

// lateTLS is that error for TLS, which knows deadlines of contexts only.
type lateTLS time.Duration

func (e lateTLS) Error() string {
	return fmt.Sprintf(tlsPrefix+"not over within HandshakeTimeout %v: %v", time.Duration(e), context.DeadlineExceeded)
}

func (e lateTLS) Unwrap() []error { return []error{context.DeadlineExceeded, os.ErrDeadlineExceeded} }
