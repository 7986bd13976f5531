package testkit

import (
	"encoding/hex"
	"time"
)

// A Sample has a field of each kind that MessagePack knows. It is the message of the payloads
// in docs/wire-vectors.json and of the peers in other languages.
type Sample struct {
	Int    int64
	Small  int8
	Uint   uint64
	Float  float64
	Single float32
	Flag   bool
	Text   string
	Blob   []byte
	Time   time.Time
	List   []int64
	Pair   [2]int64
	Map    map[string]int64
	Keys   map[int64]string
	Next   *Sample
	Any    any
}

// IsMessage marks a Sample as a case of a union.
func (Sample) IsMessage() {}

// A PayloadCase is a payload for a Sample, or for something that is none.
type PayloadCase struct {
	Name, Hex string // Hex as in RepeatedHex
}

// field is a map of one entry, in hex.
func field(name, value string) string {
	key := append([]byte{0xa0 | byte(len(name))}, name...)
	return "81 " + hex.EncodeToString(key) + " " + value
}

// Payloads are what a peer in another language may send for a Sample: each legal spelling of
// MessagePack, the ends of each range, and what is refused.
var Payloads = []PayloadCase{
	{"no fields", "80"},
	{"nil for the message", "c0"},
	{"a map16", "de0001 a3496e74 05"},
	{"a map32", "df00000001 a3496e74 05"},
	{"a key as str8", "81 d903496e74 05"},
	{"a key as str16", "81 da0003496e74 05"},
	{"a key as str32", "81 db00000003496e74 05"},
	{"a key as bin", "81 c403496e74 05"},
	{"a key that is an int", "81 01 05"},
	{"the message as an array", "9f 05 06 07 05 05 c3 a161 a162 d6ff00000005 91 01 92 01 02 80 80 c0 c0"},
	{"the message as an array of none", "90"},
	{"the message as an array of one", "91 05"},
	{"an unknown key", "82 a178 c3 a3496e74 05"},
	{"an unknown key with an unknown extension", "82 a178 d40501 a3496e74 05"},
	{"an unknown key with a map whose keys are ints", "82 a178 82 01 02 03 04 a3496e74 05"},
	{"a key in lower case", "81 a3696e74 05"},
	{"a key twice", "82 a3496e74 05 a3496e74 05"},
	{"bytes behind the message", "80 80"},
	{"nothing", ""},
	{"a map that is cut off", "82 a3496e74 05"},
	{"a str that is cut off", field("Text", "a561")},
	{"the reserved byte c1", field("Any", "c1")},
	{"100 levels", field("x", "98*91 90")},
	{"101 levels", field("x", "99*91 90")},

	{"int as fixint", field("Int", "7f")},
	{"int as negative fixint", field("Int", "e0")},
	{"int as uint8", field("Int", "cc05")},
	{"int as uint16", field("Int", "cd0005")},
	{"int as uint32", field("Int", "ce00000005")},
	{"int as uint64", field("Int", "cf0000000000000005")},
	{"int as int8", field("Int", "d0fb")},
	{"int as int16", field("Int", "d1fffb")},
	{"int as int32", field("Int", "d2fffffffb")},
	{"int as int64", field("Int", "d3fffffffffffffffb")},
	{"2^31", field("Int", "ce80000000")},
	{"-2^31 - 1", field("Int", "d3ffffffff7fffffff")},
	{"2^32", field("Int", "cf0000000100000000")},
	{"2^53 + 1", field("Int", "cf0020000000000001")},
	{"-2^53 - 1", field("Int", "d3ffdfffffffffffff")},
	{"2^63 - 1", field("Int", "cf7fffffffffffffff")},
	{"-2^63", field("Int", "d38000000000000000")},
	{"2^63", field("Int", "cf8000000000000000")},
	{"2^63 for an unsigned field", field("Uint", "cf8000000000000000")},
	{"2^64 - 1 for an unsigned field", field("Uint", "cfffffffffffffffff")},
	{"-1 for an unsigned field", field("Uint", "ff")},
	{"127 for an int8", field("Small", "7f")},
	{"128 for an int8", field("Small", "cc80")},
	{"-129 for an int8", field("Small", "d1ff7f")},
	{"a float for an integer", field("Int", "cb4014000000000000")},
	{"a single float for an integer", field("Int", "ca40a00000")},
	{"2^64 as a float for an unsigned field", field("Uint", "cb43f0000000000000")},

	{"an integer for a float", field("Float", "05")},
	{"2^53 for a float", field("Float", "cf0020000000000000")},
	{"2^53 + 1 for a float", field("Float", "cf0020000000000001")},
	{"a single for a float", field("Float", "ca3fc00000")},
	{"a float for a single", field("Single", "cb3ff8000000000000")},
	{"NaN", field("Float", "cb7ff8000000000000")},
	{"infinity", field("Float", "cb7ff0000000000000")},
	{"minus zero", field("Float", "cb8000000000000000")},

	{"bin for a string", field("Text", "c40161")},
	{"bin that is not UTF-8 for a string", field("Text", "c401ff")},
	{"str that is not UTF-8", field("Text", "a1ff")},
	{"str of four bytes", field("Text", "a4f09f9880")},
	{"str that is half of a pair of UTF-16", field("Text", "a3eda080")},
	{"str for bytes", field("Blob", "a161")},
	{"str that is not UTF-8 for bytes", field("Blob", "a1ff")},
	{"bin of any bytes", field("Blob", "c402ff00")},
	{"bin of no bytes", field("Blob", "c400")},
	{"bin16", field("Blob", "c50001ff")},
	{"bin32", field("Blob", "c600000001ff")},
	{"an array for bytes", field("Blob", "9105")},
	{"an int for a string", field("Text", "05")},

	{"time in 32 bits", field("Time", "d6ff00000005")},
	{"time in 32 bits, in 2106", field("Time", "d6ffffffffff")},
	{"time in 64 bits", field("Time", "d7ffee6b27fc00000005")},
	{"time in 64 bits, in 2514", field("Time", "d7ffee6b27ffffffffff")},
	{"time in 64 bits with 10^9 ns", field("Time", "d7ffee6b280000000005")},
	{"time in 96 bits", field("Time", "c70cff 00000001 0000000000000005")},
	{"time in 96 bits before 1970", field("Time", "c70cff 3b9ac9ff ffffffffffffffff")},
	{"time in 96 bits in the year 0", field("Time", "c70cff 00000000 fffffff1868b8400")},
	{"time in 96 bits with 10^9 ns", field("Time", "c70cff 3b9aca00 0000000000000005")},
	{"time of 5 bytes", field("Time", "c705ff0000000005")},
	{"time as text", field("Time", "b4323032302d30312d30315430303a30303a30305a")},
	{"time as an array of seconds and ns", field("Time", "920506")},
	{"time as an int", field("Time", "05")},
	{"another extension for a time", field("Time", "d60500000005")},

	{"an array16", field("List", "dc000201cc02")},
	{"an array32", field("List", "dd000000020102")},
	{"nil in a list", field("List", "9201c0")},
	{"a float in a list", field("List", "91ca3f800000")},
	{"fewer elements than the array has", field("Pair", "9101")},
	{"more elements than the array has", field("Pair", "93010203")},
	{"a map", field("Map", "82 a16101 a16202")},
	{"a map in another order", field("Map", "82 a16202 a16101")},
	{"a key of a map twice", field("Map", "82 a16101 a16101")},
	{"an int as a key of a map", field("Map", "810102")},
	{"a map whose keys are ints", field("Keys", "8201a161ffa162")},
	{"the same key in two spellings", field("Keys", "8201a161cc01a162")},
	{"a str as a key of that map", field("Keys", "81a131a161")},
	{"a message in the message", field("Next", field("Int", "05"))},
	{"any: an int", field("Any", "05")},
	{"any: 2^64 - 1", field("Any", "cfffffffffffffffff")},
	{"any: a float", field("Any", "cb3ff8000000000000")},
	{"any: a bin", field("Any", "c40161")},
	{"any: a time", field("Any", "d6ff00000005")},
	{"any: a list", field("Any", "93 05 a161 c0")},
	{"any: a map", field("Any", "81a16105")},
	{"any: a map whose keys are ints", field("Any", "810105")},
	{"any: an unknown extension", field("Any", "d40501")},
	{"nil for each field", "8f" + func() (all string) {
		for _, name := range []string{"Int", "Small", "Uint", "Float", "Single", "Flag", "Text", "Blob", "Time", "List", "Pair", "Map", "Keys", "Next", "Any"} {
			all += field(name, "c0")[2:]
		}
		return all
	}()},
}
