package wire

import (
	"encoding/binary"
	"fmt"

	"github.com/fb9bb4ed/qsocket/internal/mpscan"
)

// The maps of hellos and goodbyes are decoded as messages are. Messages may come in more
// ways than these two: an array for a struct, nil for everything, bin for str. Peers in other
// languages are written after docs/wire.md, and what one of them sends in such a way another
// one would not understand. So the types are looked at once more.

// valueType is what the value of a key must be.
type valueType uint8

const (
	strValue valueType = iota
	uintValue
	boolValue
	strMapValue // its keys and values are strings
	binValue
)

var valueNames = [...]string{strValue: "a str", uintValue: "a uint", boolValue: "a bool", strMapValue: "a map", binValue: "bytes"}

var (
	helloKeys = map[string]valueType{
		"proto": strValue, "codec": strValue, "max": uintValue, "hb": uintValue, "types": strValue, "desc": uintValue, "nl": strValue,
		"adm": boolValue, "attr": strMapValue,
		"sid": binValue, "try": uintValue, "got": uintValue, "new": boolValue, "keep": uintValue, "ses": uintValue,
	}
	goodbyeKeys   = map[string]valueType{"reason": strValue, "full": boolValue, "code": uintValue}
	goingAwayKeys = map[string]valueType{"reason": strValue}
	sessionKeys   = map[string]valueType{"st": uintValue, "got": uintValue, "exp": uintValue, "why": strValue}
)

// checkMap reports what is wrong with body, which has been decoded to a struct: whether it
// is a map, whether its keys are strings, and the values of known keys of their types.
func checkMap(body []byte, keys map[string]valueType) error {
	n, at, ok := mapHeader(body)
	if !ok {
		return notMap(body)
	}
	var scan mpscan.Scanner
	seen := make(map[string]bool)
	for range n {
		key, value, err := stringAt(&scan, body, at)
		if err != nil {
			return err
		}
		if seen[key] { // the decoder has looked at those that it knows
			return fmt.Errorf("msgpack: the key %.40q is there twice", key)
		}
		seen[key] = true
		if want, known := keys[key]; known && !want.matches(body[value]) {
			return fmt.Errorf("msgpack: %s: %s where %s is expected", key, mpscan.Format(body[value]), valueNames[want])
		} else if known && want == strMapValue {
			if err := checkStrMap(body[value:]); err != nil {
				return fmt.Errorf("%w in %s", err, key)
			}
		}
		if at, err = scan.Skip(body, value, 1); err != nil {
			return err
		}
	}
	return nil
}

// checkStrMap is checkMap for a map whose keys are the peer's choice, and whose values have to
// be strings. It begins body.
func checkStrMap(body []byte) error {
	n, at, _ := mapHeader(body)
	var scan mpscan.Scanner
	for range n {
		_, value, err := stringAt(&scan, body, at)
		if err != nil {
			return err
		}
		if !strValue.matches(body[value]) {
			return fmt.Errorf("msgpack: %s where a str is expected", mpscan.Format(body[value]))
		}
		if at, err = scan.Skip(body, value, 1); err != nil {
			return err
		}
	}
	return nil
}

// mapHeader reads the header of the map at the beginning of body, which is not empty. ok is false if something else is there.
func mapHeader(body []byte) (n, end int, ok bool) {
	switch c := body[0]; {
	case c&0xf0 == 0x80:
		return int(c & 0xf), 1, true
	case c == 0xde && len(body) >= 3:
		return int(binary.BigEndian.Uint16(body[1:])), 3, true
	case c == 0xdf && len(body) >= 5:
		return int(binary.BigEndian.Uint32(body[1:])), 5, true
	}
	return 0, 0, false
}

func notMap(body []byte) error {
	return fmt.Errorf("msgpack: %s where a map is expected", mpscan.Format(body[0]))
}

// stringAt reads the key at body[at].
func stringAt(scan *mpscan.Scanner, body []byte, at int) (key string, end int, err error) {
	c := body[at]
	if !strValue.matches(c) {
		return "", 0, fmt.Errorf("msgpack: %s where a str is expected as a key", mpscan.Format(c))
	}
	if end, err = scan.Skip(body, at, 1); err != nil {
		return "", 0, err
	}
	header := 1
	switch c {
	case 0xd9:
		header = 2
	case 0xda:
		header = 3
	case 0xdb:
		header = 5
	}
	return string(body[at+header : end]), end, nil
}

// matches reports whether c begins a value of type v. An integer that is not negative may
// have come in a format with a sign; the decoder has refused the others.
func (v valueType) matches(c byte) bool {
	switch v {
	case strValue:
		return c&0xe0 == 0xa0 || c >= 0xd9 && c <= 0xdb
	case uintValue:
		return c <= 0x7f || c >= 0xcc && c <= 0xd3
	case strMapValue:
		return c&0xf0 == 0x80 || c == 0xde || c == 0xdf
	case binValue:
		return c >= 0xc4 && c <= 0xc6
	}
	return c == 0xc2 || c == 0xc3
}
