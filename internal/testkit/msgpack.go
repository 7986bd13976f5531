package testkit

import (
	"strings"
)

// HostileMsgpack are payloads that without a guard end the process, or cost it
// gigabytes. Tests decode them in their own process.
var HostileMsgpack = []struct{ Name, Payload string }{
	{"array32 of 4 G", "\xdd\xff\xff\xff\xff"},
	{"array32 of 4 G and a byte", "\xdd\xff\xff\xff\xff\x00"},
	{"map32 of 4 G", "\xdf\xff\xff\xff\xff"},
	{"map32 of 4 G in a map", "\x81\xa1M\xdf\xff\xff\xff\xff"},
	{"bin32 of 4 GiB", "\xc6\xff\xff\xff\xff12345"},
	{"str32 of 4 GiB", "\xdb\xff\xff\xff\xff12345"},
	{"ext32 of 4 GiB", "\xc9\xff\xff\xff\xff\x0112345"},
	{"counts that add up", strings.Repeat("\xdd\x00\x0f\xff\xff", 90) + strings.Repeat("\xc0", 1<<20)},
	{"nested arrays, 5 MB", strings.Repeat("\x91", 5<<20) + "\xc0"},
	{"nested arrays in an unknown field", "\x81\xa7unknown" + strings.Repeat("\x91", 5<<20) + "\xc0"},
	{"nested maps, 5 MB", strings.Repeat("\x81\xa1M", 5<<20/3) + "\xc0"},
	{"fixext8 with a map32 of 4 G", "\x81\xa1M\xd7\x05\xdf\xff\xff\xff\xff\x00\x00\x00"},
	{"ext8 with a map32 of 4 G", "\x81\xa1M\xc7\x05\x05\xdf\xff\xff\xff\xff"},
	{"ext16 with a map32 of 4 G", "\x81\xa1M\xc8\x00\x05\x05\xdf\xff\xff\xff\xff"},
	{"ext32 with a map32 of 4 G", "\x81\xa1M\xc9\x00\x00\x00\x05\x05\xdf\xff\xff\xff\xff"},
	{"fixext1 with a map", "\x81\xa1M\xd4\x05\x81"},
	{"fixext1 with nil", "\x81\xa1M\xd4\x05\xc0"},
	{"extension for a map at the top", "\xd7\x05\xdf\xff\xff\xff\xff\x00\x00\x00"},
}
