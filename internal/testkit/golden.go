package testkit

import (
	"encoding/hex"
	"strings"
)

// The bytes of named mode, as a peer in another language would write them. If
// one of these constants has to change, old peers are lost.
const (
	GoldenHello = "51534b01 00000030" + // "QSK", version 1, 48 bytes
		"85" + // a map of five
		"a5 70726f746f a6 746578742f31" + // proto: text/1
		"a5 636f646563 a4 74657874" + // codec: text
		"a3 6d6178 ce00100000" + // max: 1 MiB
		"a2 6862 cd3a98" + // hb: 15,000 ms
		"a2 6e6c a4 0d0a0d0a" // nl: two ends of line

	// The hello of an end with Admit, and its two verdicts.
	GoldenAdmits = "51534b01 00000035" + // 53 bytes
		"86" + // a map of six
		"a5 70726f746f a6 746578742f31" + // proto: text/1
		"a5 636f646563 a4 74657874" + // codec: text
		"a3 6d6178 ce00100000" + // max: 1 MiB
		"a2 6862 cd3a98" + // hb: 15,000 ms
		"a2 6e6c a4 0d0a0d0a" + // nl: two ends of line
		"a3 61646d c3" // adm: true
	GoldenAdmitted = "80000001 82"
	GoldenRefused  = "8000001d 01 83 a6 726561736f6e a7 676f2061776179 a4 66756c6c c3 a4 636f6465 08" // goodbye {reason: go away, full: true, code: 8}

	GoldenHalf      = "80000002 01 80"                                                          // goodbye {}
	GoldenFull      = "80000008 01 81 a4 66756c6c c3"                                           // goodbye {full: true}
	GoldenReason    = "8000001b 01 82 a6 726561736f6e ab 6d61696e74656e616e6365 a4 66756c6c c3" // goodbye {reason: maintenance, full: true}
	GoldenHeartbeat = "80000001 02"
	GoldenConfirm   = "80000001 03"
)

// Unhex returns the bytes of hex digits with spaces between them.
func Unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}
