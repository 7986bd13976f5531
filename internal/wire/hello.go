package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/fb9bb4ed/qsocket/internal/mpplan"
	"github.com/fb9bb4ed/qsocket/internal/schema"
)

// The hello is what each end of a named protocol sends first, without waiting
// for the other: the magic, the version of the wire format, and a frame with a map.
//
//	51 53 4B 01  00 00 00 6E  86 A5 "proto" …
//	magic   ver  length       map
//
// A reader goes through these states, and may refuse the peer in each of them:
//
//	0 to 3 bytes   CheckMagic: each byte as it comes, for a peer of another protocol
//	4 bytes        CheckMagic: the version, which says what the rest means
//	8 bytes        HelloSize: before memory is set aside for the map
//	the map        ParseHello, then Check, then TypesDiffer
//
// The format is frozen. A later version of the library adds keys, which older ones
// ignore; a change of anything else needs another Version.
const (
	Magic    = "QSK"
	Version  = 1
	MaxHello = 4096 // the map, bytes

	// HelloHeaderSize is the length of what stands before the map, bytes.
	HelloHeaderSize = len(Magic) + 1 + 4

	// MaxTypes is the longest description of message types, bytes.
	MaxTypes = schema.MaxText

	// MaxName is the longest name of a protocol or codec, bytes. Two of them leave room in a
	// hello for the rest of it.
	MaxName = 1024

	MaxAttributes     = 32   // entries of Hello.Attr
	MaxAttributesSize = 1536 // of Hello.Attr, bytes as encoded
)

// Hello is that map. Keys that are not known are ignored.
type Hello struct {
	Proto string  `msgpack:"proto"`           // Protocol.Name
	Codec string  `msgpack:"codec"`           // Codec.Name()
	Max   *uint64 `msgpack:"max"`             // largest payload that the end accepts, bytes; never nil in a valid hello
	Beat  uint64  `msgpack:"hb"`              // the longest silence that it wants from its peer, ms; 0: it does not care
	Types string  `msgpack:"types,omitempty"` // fingerprint of the message types
	Desc  uint64  `msgpack:"desc,omitempty"`  // length of their description, bytes, sent if the fingerprints differ
	Lines string  `msgpack:"nl"`              // HelloLines

	Admits bool              `msgpack:"adm,omitempty"`  // a verdict on the peer follows, see Verdict in docs/wire.md
	Attr   map[string]string `msgpack:"attr,omitempty"` // what the end says of itself

	// Sessions. The client has all but Expiry, the server Expiry and Keep.
	Session []byte `msgpack:"sid,omitempty"`  // which session the connection is for, 16 bytes
	Try     uint64 `msgpack:"try,omitempty"`  // the number of the attempt in this session, from 1
	Got     uint64 `msgpack:"got,omitempty"`  // messages of the server that the client has read in this session
	New     bool   `msgpack:"new,omitempty"`  // no answer has come so far: the server may begin the session
	Keep    uint64 `msgpack:"keep,omitempty"` // unacknowledged messages that the end holds at most, bytes
	Expiry  uint64 `msgpack:"ses,omitempty"`  // how long the server waits for a connection that is lost, ms; 0: it has no sessions
}

// hello is Hello under the name that errors of decoding show.
type hello Hello

// HelloLines is two ends of line. A server of HTTP and the like waits for them before
// it answers; without them an end at the wrong port would have to wait for a timeout.
const HelloLines = "\r\n\r\n"

// Append appends the whole hello, as it is sent. The length is written last, when the map
// is there.
func (h *Hello) Append(b []byte) []byte {
	b = append(b, Magic...)
	b = append(b, Version, 0, 0, 0, 0)
	start := len(b)
	b, err := mpplan.For[hello]().Append(new(mpplan.Encoder), b, (*hello)(h))
	if err != nil {
		panic(err) // the names have been checked
	}
	binary.BigEndian.PutUint32(b[start-4:], uint32(len(b)-start))
	return b
}

// Check returns why an end with the hello h cannot talk to one with the hello
// theirs. Both ends come to the same result, since what it compares is symmetric: so no
// answer is needed, and a hello costs one round trip at most. Max cannot differ in this
// sense; each end keeps to the other's. Of Beat see checkBeat.
func (h *Hello) Check(theirs *Hello) error {
	switch {
	case h.Proto != theirs.Proto:
		return &Mismatch{Field: "proto", Local: h.Proto, Peer: theirs.Proto}
	case h.Codec != theirs.Codec:
		return &Mismatch{Field: "codec", Local: h.Codec, Peer: theirs.Codec}
	}
	return h.checkBeat(theirs)
}

// TypesDiffer reports whether the two ends have to exchange descriptions of their
// message types.
func (h *Hello) TypesDiffer(theirs *Hello) bool {
	return h.Types != "" && theirs.Types != "" && h.Types != theirs.Types && h.Desc > 0 && theirs.Desc > 0
}

// CheckMagic checks as much of the header of a hello as there is. It is called whenever bytes
// have come: a peer of another protocol may send fewer than a header has, and then wait
// for us.
func CheckMagic(b []byte) error {
	n := min(len(b), len(Magic))
	if string(b[:n]) != Magic[:n] {
		found := Sniff(b)
		if found == "" {
			found = "peer runs raw mode or another protocol: it sent " + quoteBytes(b)
		}
		return &Mismatch{Field: "magic", Local: "beginning with " + Magic, Peer: found}
	}
	if len(b) > n && b[n] != Version {
		return &Mismatch{Field: "version", Local: strconv.Itoa(Version), Peer: strconv.Itoa(int(b[n]))}
	}
	return nil
}

// HelloSize returns the length of the map that follows the header of a hello, bytes.
func HelloSize(header [HelloHeaderSize]byte) (int, error) {
	size := binary.BigEndian.Uint32(header[len(header)-4:])
	if size > MaxHello {
		return 0, BadHello(fmt.Sprintf("of at most %d bytes", MaxHello), fmt.Sprintf("its length is %d bytes", size))
	}
	return int(size), nil
}

// ParseHello reads the map of a hello. The decoder refuses what is not exactly one value, with
// values of the types of Hello, and keys that are there twice; checkMap what it takes besides
// a map. max has to be there: its zero would be a peer that takes empty payloads only.
func ParseHello(body []byte) (*Hello, error) {
	h := new(Hello)
	err := parseMap(body, (*hello)(h), helloKeys)
	if err == nil {
		err = h.checkValues()
	}
	if err != nil {
		return nil, BadHello("a MessagePack map with proto, codec and max", err.Error())
	}
	return h, nil
}

// checkValues reports what is wrong with the values, whose types are right.
func (h *Hello) checkValues() error {
	switch {
	case h.Max == nil:
		return errors.New(`the key "max" is missing`)
	case len(h.Proto) > MaxName:
		return fmt.Errorf("proto has %d bytes, want at most %d", len(h.Proto), MaxName)
	case len(h.Codec) > MaxName:
		return fmt.Errorf("codec has %d bytes, want at most %d", len(h.Codec), MaxName)
	case h.Types != "" && !isFingerprint(h.Types):
		return fmt.Errorf("types has %d bytes, want a fingerprint: 32 lower-case hexadecimal digits", len(h.Types))
	case h.Desc > MaxTypes:
		return fmt.Errorf("desc is %d, want at most %d", h.Desc, MaxTypes)
	case h.Session != nil && len(h.Session) != SessionIDSize:
		return fmt.Errorf("sid has %d bytes, want %d", len(h.Session), SessionIDSize)
	case h.Session != nil && h.Try == 0:
		return errors.New("sid without try, want the number of the attempt, from 1")
	}
	return CheckAttributes(h.Attr)
}

// CheckAttributes returns why attr cannot be told in a hello. No text of it is in the error,
// because there may be secrets among them.
func CheckAttributes(attr map[string]string) error {
	if len(attr) > MaxAttributes {
		return fmt.Errorf("%d attributes, want at most %d", len(attr), MaxAttributes)
	}
	size := mapHeaderSize(len(attr))
	for key, value := range attr {
		switch {
		case key == "":
			return errors.New("an attribute with an empty name")
		case !utf8.ValidString(key):
			return fmt.Errorf("the name of an attribute, of %d bytes, is not UTF-8", len(key))
		case !utf8.ValidString(value):
			return fmt.Errorf("the value of the attribute %.40q is not UTF-8", key)
		}
		size += stringSize(len(key)) + stringSize(len(value))
	}
	if size > MaxAttributesSize {
		return fmt.Errorf("attributes of %d bytes as encoded, want at most %d", size, MaxAttributesSize)
	}
	return nil
}

// mapHeaderSize returns the length of the header of a map of n entries in MessagePack, bytes.
func mapHeaderSize(n int) int {
	if n < 16 {
		return 1
	}
	return 3
}

// stringSize returns the length of a string of n bytes in MessagePack, bytes.
func stringSize(n int) int {
	switch {
	case n < 32:
		return 1 + n
	case n < 256:
		return 2 + n
	case n < 1<<16:
		return 3 + n
	}
	return 5 + n
}

// isFingerprint reports whether s has the form of schema.Fingerprint.
func isFingerprint(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(s) == 32
}
