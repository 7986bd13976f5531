package testkit

import (
	"encoding/binary"
	"strings"
)

// A WireCase is what a peer in another language may send, and what an end makes of it that
// keeps to docs/wire.md.
type WireCase struct {
	Name  string
	Bytes string
	Field string // of the HandshakeError; only for hellos
	Want  string // a part of the error's text; empty: it is taken
}

// str is a MessagePack str.
func str(s string) string {
	if len(s) < 32 {
		return string([]byte{0xa0 | byte(len(s))}) + s
	}
	return "\xda" + string(binary.BigEndian.AppendUint16(nil, uint16(len(s)))) + s
}

// fixmap is a MessagePack map of what stands in entries, keys and values.
func fixmap(entries ...string) string {
	return string([]byte{0x80 | byte(len(entries)/2)}) + strings.Join(entries, "")
}

// attributes is a map of n attributes, the last of which has a value of size bytes, 256 at least, or
// none if size is 0. One of them alone takes 10 bytes more than that.
func attributes(n, size int) string {
	b := "\xde" + string(binary.BigEndian.AppendUint16(nil, uint16(n)))
	if n == 1 {
		b = "\x81"
	}
	for i := range n - 1 {
		b += str("name "+string(rune('A'+i))) + str("")
	}
	return b + str("token") + str(strings.Repeat("s", size))
}

// helloOf is a whole hello with this map.
func helloOf(body string) string {
	return "QSK\x01" + string(binary.BigEndian.AppendUint32(nil, uint32(len(body)))) + body
}

// Hellos are whole hellos for the protocol Named, and what docs/wire.md says of them,
// sentence by sentence.
var Hellos = func() []WireCase {
	proto, codec, limit := str("proto")+str("text/1"), str("codec")+str("text"), str("max")+"\x01"
	base := []string{proto, "", codec, "", limit, ""}
	with := func(entry string) string { return helloOf(fixmap(append(base, entry, "")...)) }
	fingerprint := strings.Repeat("0123456789abcdef", 2)
	long := strings.Repeat("n", 1025)
	return []WireCase{
		{"as short as it gets", helloOf(fixmap(base...)), "", ""},
		{"in another order", helloOf(fixmap(limit, "", codec, "", proto, "")), "", ""},
		{"a map16", helloOf("\xde\x00\x03" + proto + codec + limit), "", ""},
		{"a map32", helloOf("\xdf\x00\x00\x00\x03" + proto + codec + limit), "", ""},
		{"a str8", helloOf(fixmap(str("proto")+"\xd9\x06text/1", "", codec, "", limit, "")), "", ""},
		{"a str32", helloOf(fixmap(str("proto")+"\xdb\x00\x00\x00\x06text/1", "", "\xd9\x05codec"+str("text"), "", limit, "")), "", ""},
		{"an int that is not negative", helloOf(fixmap(proto, "", codec, "", str("max")+"\xd1\x01\x00", "")), "", ""},
		{"the greatest max", helloOf(fixmap(proto, "", codec, "", str("max")+"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "")), "", ""},
		{"types", with(str("types") + str(fingerprint)), "", ""},
		{"types empty", with(str("types") + str("")), "", ""},
		{"desc without types", with(str("desc") + "\x01"), "", ""},
		{"an unknown key", with(str("x") + "\x93\x01\xc0\xa1x"), "", ""},
		{"hb", with(str("hb") + "\x64"), "", ""},
		{"hb of none", with(str("hb") + "\x00"), "", ""},
		{"hb that never ends", with(str("hb") + "\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), "", ""},
		{"nested 100 levels deep", with(str("x") + strings.Repeat("\x91", 98) + "\x90"), "", ""},
		{"an unknown key with other keys in it", with(str("x") + "\x83\x01\x02\xc0\x03\x91\x04\x05"), "", ""},
		{"nl of another text", with(str("nl") + str("whatever")), "", ""},
		{"adm of none", with(str("adm") + "\xc2"), "", ""},
		{"attr", with(str("attr") + fixmap(str("token"), str("secret"), str("tenant"), str(""))), "", ""},
		{"attr of none", with(str("attr") + "\x80"), "", ""},
		{"attr, a map32", with(str("attr") + "\xdf\x00\x00\x00\x01" + str("token") + str("secret")), "", ""},
		{"32 attributes", with(str("attr") + attributes(32, 0)), "", ""},
		{"1536 bytes of attributes", with(str("attr") + attributes(1, 1526)), "", ""},

		{"nothing", "", "hello", "the connection ended before one came"},
		{"another protocol", "HTTP/1.1 400 Bad Request", "magic", "HTTP"},
		{"the first byte", "R", "magic", "raw mode or another protocol"},
		{"the third byte", "QSM", "magic", "raw mode or another protocol"},
		{"the header of a raw frame", "\x00\x00\x00\x05", "magic", "raw mode or another protocol"},
		{"the end inside the magic", "QS", "hello", "the connection ended"},
		{"version 0", "QSK\x00", "version", "version differs"},
		{"version 2", "QSK\x02\x00\x00\x00\x00", "version", "version differs"},
		{"the end inside the length", "QSK\x01\x00", "hello", "the connection ended"},
		{"a map of 4097 bytes", "QSK\x01\x00\x00\x10\x01", "hello", "4097 bytes"},
		{"the end inside the map", helloOf(fixmap(base...))[:20], "hello", "the connection ended"},
		{"hb too short", with(str("hb") + "\x63"), "heartbeat", "99 ms"},
		{"hb as short as can be", with(str("hb") + "\x01"), "heartbeat", "1 ms"},
		{"nested 101 levels deep", with(str("x") + strings.Repeat("\x91", 99) + "\x90"), "hello", "nest"},

		{"nil", helloOf("\xc0"), "hello", "nil where a map is expected"},
		{"an array of as many", helloOf("\x99\xa6text/1\xa4text\x01\x00\xa0\x00\xa0\xc2\x80"), "hello", "array where a map is expected"},
		{"an array of none", helloOf("\x90"), "hello", "array where a map is expected"},
		{"an array16", helloOf("\xdc\x00\x00"), "hello", "array16 where a map is expected"},
		{"a number", helloOf("\x07"), "hello", "where a map"},
		{"a str", helloOf(str("proto")), "hello", "where a map"},
		{"bin", helloOf("\xc4\x01x"), "hello", "where a map"},
		{"an ext", helloOf("\xd4\x01x"), "hello", "where a map"},
		{"nothing behind the count", helloOf("\x83"), "hello", "bytes are left"},
		{"cut off", helloOf(fixmap(base...)[:12]), "hello", "hello"},
		{"bytes behind it", helloOf(fixmap(base...) + "\xc0"), "hello", "trailing"},
		{"two of them", helloOf(fixmap(base...) + fixmap(base...)), "hello", "trailing"},

		{"proto is nil", helloOf(fixmap(str("proto")+"\xc0", "", codec, "", limit, "")), "hello", "proto: nil where a str"},
		{"proto is bin", helloOf(fixmap(str("proto")+"\xc4\x06text/1", "", codec, "", limit, "")), "hello", "proto: bin8 where a str"},
		{"codec is nil", helloOf(fixmap(proto, "", str("codec")+"\xc0", "", limit, "")), "hello", "codec: nil where a str"},
		{"codec is a number", helloOf(fixmap(proto, "", str("codec")+"\x01", "", limit, "")), "hello", "codec"},
		{"max is nil", helloOf(fixmap(proto, "", codec, "", str("max")+"\xc0", "")), "hello", "max: nil where a uint"},
		{"max is negative", helloOf(fixmap(proto, "", codec, "", str("max")+"\xff", "")), "hello", "hello.Max"},
		{"max is a float", helloOf(fixmap(proto, "", codec, "", str("max")+"\xca\x3f\x80\x00\x00", "")), "hello", "hello.Max"},
		{"max is a bool", helloOf(fixmap(proto, "", codec, "", str("max")+"\xc3", "")), "hello", "hello.Max"},
		{"hb is nil", with(str("hb") + "\xc0"), "hello", "hb: nil where a uint"},
		{"hb is a str", with(str("hb") + str("1")), "hello", "hello.Beat"},
		{"desc is nil", with(str("desc") + "\xc0"), "hello", "desc: nil where a uint"},
		{"desc is too large", with(str("desc") + "\xce\x00\x01\x00\x01"), "hello", "desc is 65537, want at most 65536"},
		{"nl is nil", with(str("nl") + "\xc0"), "hello", "nl: nil where a str"},
		{"nl is a number", with(str("nl") + "\x01"), "hello", "hello.Lines"},
		{"types is nil", with(str("types") + "\xc0"), "hello", "types: nil where a str"},
		{"types is bin", with(str("types") + "\xc4\x20" + fingerprint), "hello", "types: bin8 where a str"},
		{"types is a word", with(str("types") + str("x")), "hello", "types has 1 bytes, want a fingerprint"},
		{"types is too short", with(str("types") + str(fingerprint[1:])), "hello", "types has 31 bytes, want a fingerprint"},
		{"types is too long", with(str("types") + str(fingerprint+"0")), "hello", "types has 33 bytes, want a fingerprint"},
		{"types in upper case", with(str("types") + str(strings.ToUpper(fingerprint))), "hello", "want a fingerprint"},
		{"types with another letter", with(str("types") + str("g"+fingerprint[1:])), "hello", "want a fingerprint"},
		{"proto is too long", helloOf(fixmap(str("proto")+str(long), "", codec, "", limit, "")), "hello", "proto has 1025 bytes, want at most 1024"},
		{"proto is as long as may be", helloOf(fixmap(str("proto")+str(long[1:]), "", codec, "", limit, "")), "proto", "proto differs"},
		{"proto is not UTF-8", helloOf(fixmap(str("proto")+str("te\xfft/1"), "", codec, "", limit, "")), "hello", "UTF-8"},
		{"codec is too long", helloOf(fixmap(proto, "", str("codec")+str(long), "", limit, "")), "hello", "codec has 1025 bytes, want at most 1024"},
		{"codec is not UTF-8", helloOf(fixmap(proto, "", str("codec")+str("te\xfft"), "", limit, "")), "hello", "UTF-8"},
		{"nl is not UTF-8", with(str("nl") + str("\xff")), "hello", "UTF-8"},

		{"adm is nil", with(str("adm") + "\xc0"), "hello", "adm: nil where a bool"},
		{"adm is a number", with(str("adm") + "\x01"), "hello", "hello.Admits"},
		{"attr is nil", with(str("attr") + "\xc0"), "hello", "attr: nil where a map"},
		{"attr is an array", with(str("attr") + "\x92" + str("token") + str("secret")), "hello", "array"},
		{"attr is a str", with(str("attr") + str("secret")), "hello", "hello.Attr"},
		{"33 attributes", with(str("attr") + attributes(33, 0)), "hello", "33 attributes, want at most 32"},
		{"1537 bytes of attributes", with(str("attr") + attributes(1, 1527)), "hello", "attributes of 1537 bytes as encoded, want at most 1536"},
		{"an attribute without a name", with(str("attr") + fixmap(str(""), str("secret"))), "hello", "empty name"},
		{"an attribute twice", with(str("attr") + fixmap(str("token"), str("secret"), str("token"), str("secret"))), "hello", "different keys"},
		{"an attribute that is nil", with(str("attr") + fixmap(str("token"), "\xc0")), "hello", "nil where a str"},
		{"an attribute that is bin", with(str("attr") + fixmap(str("token"), "\xc4\x06secret")), "hello", "bin8 where a str"},
		{"an attribute that is a number", with(str("attr") + fixmap(str("token"), "\x01")), "hello", "hello.Attr"},
		{"an attribute that is a map", with(str("attr") + fixmap(str("token"), "\x80")), "hello", "hello.Attr"},
		{"an attribute that is not UTF-8", with(str("attr") + fixmap(str("token"), str("secret\xff"))), "hello", "UTF-8"},
		{"an attribute whose name is not UTF-8", with(str("attr") + fixmap(str("token\xff"), str("secret"))), "hello", "UTF-8"},
		{"an attribute whose name is nil", with(str("attr") + fixmap("\xc0", str("secret"))), "hello", "nil where a str is expected as a key in attr"},
		{"an attribute whose name is bin", with(str("attr") + fixmap("\xc4\x05token", str("secret"))), "hello", "bin8 where a str is expected as a key in attr"},
		{"an attribute whose name is a number", with(str("attr") + fixmap("\x01", str("secret"))), "hello", "hello.Attr"},
		{"the end inside of attr", with(str("attr") + "\x82" + str("token") + str("secret")), "hello", "hello"},

		{"a key twice", with(proto), "hello", "twice"},
		{"an unknown key twice", helloOf(fixmap(append(base, str("x")+"\x01", "", str("x")+"\x01", "")...)), "hello", `the key "x" is there twice`},
		{"a key that is a number", with("\x01\x01"), "hello", "hello"},
		{"a key that is nil", with("\xc0\x01"), "hello", "hello"},
		{"a key that is bin", helloOf(fixmap("\xc4\x05proto"+str("text/1"), "", codec, "", limit, "")), "hello", "bin8 where a str is expected as a key"},
		{"an unknown key that is bin", with("\xc4\x01x\x01"), "hello", "bin8 where a str is expected as a key"},
		{"an unknown key that is not UTF-8", with(str("\xff") + "\x01"), "hello", "UTF-8"},
		{"no max", helloOf(fixmap(proto, "", codec, "")), "hello", `the key "max" is missing`},
		{"proto in another case", helloOf(fixmap(str("proto")+str("Text/1"), "", codec, "", limit, "")), "proto", "proto differs"},
		{"codec in another case", helloOf(fixmap(proto, "", str("codec")+str("TEXT"), "", limit, "")), "codec", "codec differs"},
		{"a known key in another case", helloOf(fixmap(proto, "", codec, "", str("Max")+"\x01", "")), "hello", `the key "max" is missing`},
		{"proto before codec and hb", helloOf(fixmap(str("proto")+str("x"), "", str("codec")+str("x"), "", limit, "", str("hb")+"\x01", "")), "proto", "proto differs"},
		{"codec before hb", helloOf(fixmap(proto, "", str("codec")+str("x"), "", limit, "", str("hb")+"\x01", "")), "codec", "codec differs"},
		{"the map before proto", helloOf(fixmap(str("proto")+str("x"), "", codec, "", limit, "", str("hb")+"\xc0", "")), "hello", "hb: nil where a uint"},
		{"no proto", helloOf(fixmap(codec, "", limit, "")), "proto", "proto differs"},
		{"no codec", helloOf(fixmap(proto, "", limit, "")), "codec", "codec differs"},
		{"an empty map", helloOf("\x80"), "hello", `the key "max" is missing`},
	}
}()

// Goodbyes are the bodies of goodbyes.
var Goodbyes = []WireCase{
	{"half", "\x80", "", ""},
	{"full", fixmap(str("full"), "\xc3"), "", ""},
	{"not full", fixmap(str("full"), "\xc2"), "", ""},
	{"an empty reason", fixmap(str("reason"), str("")), "", ""},
	{"a map32", "\xdf\x00\x00\x00\x01" + str("full") + "\xc3", "", ""},
	{"an unknown key", fixmap(str("x"), "\x91\xc0"), "", ""},
	{"a code of none", fixmap(str("code"), "\x00"), "", ""},
	{"a code of none, as a uint64", fixmap(str("code"), "\xcf\x00\x00\x00\x00\x00\x00\x00\x00"), "", ""},

	{"no map", "", "", "goodbye"},
	{"nil", "\xc0", "", "nil where a map is expected"},
	{"an array of none", "\x90", "", "array where a map is expected"},
	{"an array of all", "\x93\xa0\xc3\x00", "", "array where a map is expected"},
	{"an array16", "\xdc\x00\x00", "", "array16 where a map is expected"},
	{"a bool", "\xc3", "", "where a map"},
	{"a str", str("full"), "", "where a map"},
	{"bytes behind it", "\x80\x80", "", "trailing"},
	{"cut off", "\x81" + str("full"), "", "goodbye"},
	{"full is nil", fixmap(str("full"), "\xc0"), "", "full: nil where a bool"},
	{"full is a number", fixmap(str("full"), "\x01"), "", "goodbye"},
	{"code is nil", fixmap(str("code"), "\xc0"), "", "code: nil where a uint"},
	{"code is a str", fixmap(str("code"), str("8")), "", "goodbye"},
	{"code is a bool", fixmap(str("code"), "\xc3"), "", "goodbye"},
	{"code is negative", fixmap(str("code"), "\xff"), "", "goodbye"},
	{"code is too large", fixmap(str("code"), "\xce\x00\x01\x00\x00"), "", "goodbye"},
	{"reason is nil", fixmap(str("reason"), "\xc0"), "", "reason: nil where a str"},
	{"reason is bin", fixmap(str("reason"), "\xc4\x01x"), "", "reason: bin8 where a str"},
	{"reason is not UTF-8", fixmap(str("reason"), str("\xff")), "", "UTF-8"},
	{"reason is too long", fixmap(str("reason"), str(strings.Repeat("r", 1025))), "", "reason of 1025 bytes, want at most 1024"},
	{"a key twice", fixmap(str("full"), "\xc3", str("full"), "\xc3"), "", "twice"},
	{"an unknown key twice", fixmap(str("x"), "\xc3", str("x"), "\xc3"), "", "twice"},
	{"a key that is bin", fixmap("\xc4\x04full", "\xc3"), "", "bin8 where a str is expected as a key"},
}

// Violations are what an end must not say after the hello, in hex. If Want is empty it comes
// too late to matter.
var Violations = []WireCase{
	{"no kind", "80000000", "", "control frame of 0 bytes, want 1 to 4096"},
	{"too long", "80001001 80", "", "control frame of 4097 bytes, want 1 to 4096"},
	{"as long as can be", "ffffffff", "", "control frame of 2147483647 bytes"},
	{"reserved kind", "80000001 07", "", "reserved kind 0x07"},
	{"answer about a session", "80000006 04 81a2737401", "", "a second answer about a session, or one that was not asked for"},
	{"ack outside a session", "80000009 05 0000000000000000", "", "kind 0x05 outside a session"},
	{"ask outside a session", "80000001 06", "", "kind 0x06 outside a session"},
	{"last reserved kind", "80000001 7f", "", "reserved kind 0x7f"},
	{"kind 0", "80000001 00", "", "reserved kind 0x00"},
	{"goodbye without a map", "80000001 01", "", "goodbye"},
	{"goodbye with a string", "80000003 01 a1 78", "", "goodbye"},
	{"goodbye with a number for full", "80000008 01 81 a4 66756c6c 01", "", "goodbye"},
	{"bytes after the goodbye's map", "80000003 01 80 80", "", "goodbye"},
	{"long reason", "8000040d 01 81 a6 726561736f6e da 0401" + strings.Repeat("61", 1025), "", "reason of 1025 bytes, want at most 1024"},
	{"heartbeat with a body", "80000002 02 00", "", "kind 0x02 with a body of 1 bytes"},
	{"confirm with a body", "80000002 03 00", "", "kind 0x03 with a body of 1 bytes"},
	{"confirm before our goodbye", GoldenConfirm, "", "confirm before our goodbye"},
	{"message after goodbye", GoldenHalf + "00000001 61", "", "message of 1 bytes after goodbye"},
	{"message after full goodbye", GoldenFull + "00000000", "", ""},
	{"half after half", GoldenHalf + GoldenHalf, "", "goodbye after goodbye"},
	{"full after full", GoldenFull + GoldenFull, "", ""},
	{"half after full", GoldenFull + GoldenHalf, "", ""},
	{"message too large", "7fffffff", "", "exceeds MaxFrame"},
}
