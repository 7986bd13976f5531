package handshake

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/fb9bb4ed/qsocket/internal/schema"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// The hello has a fingerprint of the message types. Where those of two ends
// differ, and both have a description (docs/schema.md), each sends it right behind
// its hello, in control frames of kind 80, and compares. They come to the same
// result, so both know then whether messages may follow.
//
//	fingerprints equal, or one end has no description ──► nothing is exchanged
//	otherwise ──► both descriptions sent and read ──┬─ not understood ──► messages
//	                                                ├─ harmless differences ──► messages
//	                                                └─ a breaking one ──► Mismatch, at both ends
//
// Each end decides from the two hellos alone whether descriptions follow, so both expect
// them or neither does. A description comes from a peer that is not trusted yet. Its length
// is bounded by the hello's check (wire.MaxTypes), and memory grows by a frame at a time, as
// frames come; it has to be the one of the fingerprint; comparing is bounded by package
// schema, and waits for a place (see places).

// compareTypes exchanges descriptions and returns what differs, a line for
// each, if the ends can talk, and otherwise a *wire.Mismatch. theirs is the peer's hello.
func compareTypes(ctx context.Context, nc net.Conn, ours *schema.Own, theirs *wire.Hello) (differences string, err error) {
	type description struct {
		text string
		sum  schema.Sum
	}
	d, err := exchange(ctx, nc, typesFrames(ours.Text), func(r io.Reader) (d description, err error) {
		if d.text, err = readTypes(r, int(theirs.Desc)); err != nil {
			return d, err
		}
		if d.sum = schema.SumOf(d.text); d.sum.Fingerprint() != theirs.Types {
			return d, wire.BadHello("the description whose fingerprint is "+theirs.Types, "one whose fingerprint is "+d.sum.Fingerprint())
		}
		return d, nil
	})
	if err != nil || d.text == schema.Observer || ours.Text == schema.Observer {
		return "", err
	}
	v, err := judge(ctx, ours, d.text, d.sum)
	switch {
	case err != nil:
		return "", err
	case v.mismatch != nil:
		mismatch := *v.mismatch // the caller may do with it what it wants
		return "", &mismatch
	}
	return v.differences, nil
}

// maxPart is how much of a description there is in a frame, bytes: all but its kind.
const maxPart = wire.MaxControl - 1

// spareParts is how many more parts a peer may send than the length needs. A part that is
// not full costs as much as one that is.
const spareParts = 64

// typesFrames returns the control frames that carry a description.
func typesFrames(text string) []byte {
	b := make([]byte, 0, len(text)+(len(text)/maxPart+1)*(wire.MaxControl-maxPart+4))
	for len(text) > 0 {
		n := min(len(text), maxPart)
		b = wire.AppendControl(b, wire.KindTypes, []byte(text[:n]))
		text = text[n:]
	}
	return b
}

// readRefusal reads the rest of a goodbye of n bytes, which a peer that does not accept
// this end sends in place of what is wanted.
func readRefusal(r io.Reader, n int, want string) error {
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return silentPeer(err)
	}
	g, err := wire.ParseGoodbye(body)
	if err != nil {
		return wire.BadHello(want, err.Error())
	}
	if g.Reason == "" && g.Code == 0 {
		return wire.BadHello(want, "a goodbye without a reason")
	}
	return &Refused{g.Reason, g.Code}
}

// frameSize returns the length of the control frame that header begins.
func frameSize(header [5]byte) int {
	return int(binary.BigEndian.Uint32(header[:]) &^ wire.ControlBit)
}

// readTypes reads a description of size bytes, and no byte beyond it: what follows are
// messages, for the inbox. A goodbye is the peer's refusal; any other frame in between is an
// error, since the peer may send nothing else before the descriptions have been exchanged.
func readTypes(r io.Reader, size int) (string, error) {
	var text strings.Builder
	part := make([]byte, min(size, maxPart))
	for left := (size+maxPart-1)/maxPart + spareParts; text.Len() < size; left-- {
		if left == 0 {
			return "", wire.BadHello(fmt.Sprintf("a description of its types of %d bytes", size), fmt.Sprintf("%d bytes of it in more parts than that needs, and %d", text.Len(), spareParts))
		}
		var header [5]byte
		if _, err := io.ReadFull(r, header[:]); err != nil {
			return "", silentPeer(err)
		}
		n := frameSize(header) - 1 // −1 for a frame without even a kind
		switch {
		case header[0]&0x80 != 0 && header[4] == wire.KindGoodbye && n >= 0 && n <= maxPart:
			return "", readRefusal(r, n, "a description of its types")
		case header[0]&0x80 == 0 || n < 0 || header[4] != wire.KindTypes:
			return "", wire.BadHello(fmt.Sprintf("%d bytes of a description of its types", size), fmt.Sprintf("a frame that begins with % x", header))
		case n == 0 || n > maxPart || n > size-text.Len():
			return "", wire.BadHello(fmt.Sprintf("%d more bytes of a description of its types", size-text.Len()), fmt.Sprintf("a control frame of %d bytes", n+1))
		}
		if _, err := io.ReadFull(r, part[:n]); err != nil {
			return "", silentPeer(err)
		}
		text.Write(part[:n])
	}
	return text.String(), nil
}
