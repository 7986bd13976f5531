package testkit

import (
	"bytes"
	"encoding/hex"
	"strconv"
	"strings"
)

// RepeatedHex reads words of hexadecimal digits, each of which N* repeats.
func RepeatedHex(s string) (b []byte, err error) {
	for _, word := range strings.Fields(s) {
		n, digits := 1, word
		if count, rest, ok := strings.Cut(word, "*"); ok {
			if n, err = strconv.Atoi(count); err != nil {
				return nil, err
			}
			digits = rest
		}
		part, err := hex.DecodeString(digits)
		if err != nil {
			return nil, err
		}
		b = append(b, bytes.Repeat(part, n)...)
	}
	return b, nil
}
