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
// them or neither does. A description comes from a peer that is not trusted yet: its length
// is bounded by the hello's check (wire.MaxTypes), and memory grows by a frame at a time, as
// frames come.

// maxDifferences bounds what a peer can make us keep for it, bytes. The last line may
// exceed it.
const maxDifferences = 16 << 10

// compareTypes exchanges descriptions and returns what differs, a line for
// each, if the ends can talk, and otherwise a *wire.Mismatch. size is the length of the
// peer's description as its hello announced it.
func compareTypes(ctx context.Context, nc net.Conn, ours string, size uint64) (differences string, err error) {
	var theirs string
	err = exchange(ctx, nc, typesFrames(ours), func(r io.Reader) (err error) {
		theirs, err = readTypes(r, int(size))
		return err
	})
	if err != nil {
		return "", err
	}
	local, err := schema.Parse(ours)
	if err != nil {
		return "", fmt.Errorf("qsocket: the schema of our own codec: %w", err)
	}
	peer, err := schema.Parse(theirs)
	// Perhaps it is of a later form. That must not keep two versions of the library from
	// talking, so it is no refusal but something to log.
	if err != nil {
		return fmt.Sprintf("the description that the peer sent is not understood: %v\n", err), nil
	}
	var lines strings.Builder
	for _, d := range schema.Compare(local, peer) {
		if d.Breaking {
			return "", &wire.Mismatch{Field: "types", Local: describe(d.Path, d.Local), Peer: describe(d.Path, d.Peer)}
		}
		if lines.Len() > maxDifferences {
			lines.WriteString("and more\n")
			break
		}
		lines.WriteString(d.String() + "\n")
	}
	return lines.String(), nil
}

// describe says what one end has at a path, for a Mismatch. what is empty if it has
// nothing there.
func describe(path, what string) string {
	if what == "" {
		return "no " + path
	}
	return path + " " + what
}

// typesFrames returns the control frames that carry a description. A frame has space for
// 4,095 bytes of it, behind the byte for its kind.
func typesFrames(text string) []byte {
	var b []byte
	for len(text) > 0 {
		n := min(len(text), wire.MaxControl-1)
		b = wire.AppendControl(b, wire.KindTypes, []byte(text[:n]))
		text = text[n:]
	}
	return b
}

// readTypes reads a description of size bytes, and no byte beyond it: what follows are
// messages, for the inbox. Any other frame in between is an error, since the peer may send
// nothing else before the descriptions have been exchanged.
func readTypes(r io.Reader, size int) (string, error) {
	var text []byte
	for len(text) < size {
		var header [5]byte
		if _, err := io.ReadFull(r, header[:]); err != nil {
			return "", silentPeer(err)
		}
		n := int(binary.BigEndian.Uint32(header[:])&^wire.ControlBit) - 1
		// n is 0 for a frame with an empty body, which is legal, and −1 for one without
		// even a kind.
		switch {
		case header[0]&0x80 == 0 || header[4] != wire.KindTypes:
			return "", wire.BadHello(fmt.Sprintf("%d bytes of a description of its types", size), fmt.Sprintf("a frame that begins with % x", header))
		case n < 0 || n >= wire.MaxControl || n > size-len(text):
			return "", wire.BadHello(fmt.Sprintf("%d more bytes of a description of its types", size-len(text)), fmt.Sprintf("a control frame of %d bytes", n+1))
		}
		text = append(text, make([]byte, n)...)
		if _, err := io.ReadFull(r, text[len(text)-n:]); err != nil {
			return "", silentPeer(err)
		}
	}
	return string(text), nil
}
