package mpscan

// What can follow a first byte.
type kind uint8

const (
	unused kind = iota // 0xc1
	fixed              // a number of bytes that the first byte determines
	str
	bin
	ext
	array
	object // the spec's map
)

// format is what a first byte says.
type format struct {
	kind  kind
	width uint8  // bytes of the length or count after the first byte
	size  uint8  // length or count where width is 0
	name  string // as the spec calls it
}

// formats has a format for every first byte, except those of one-byte integers.
var formats = func() (f [256]format) {
	for i := range 16 {
		f[0x80+i] = format{object, 0, uint8(i), "fixmap"}
		f[0x90+i] = format{array, 0, uint8(i), "fixarray"}
	}
	for i := range 32 {
		f[0xa0+i] = format{str, 0, uint8(i), "fixstr"}
	}
	for c, x := range map[byte]format{
		0xc0: {fixed, 0, 0, "nil"},
		0xc2: {fixed, 0, 0, "false"},
		0xc3: {fixed, 0, 0, "true"},
		0xc4: {bin, 1, 0, "bin8"},
		0xc5: {bin, 2, 0, "bin16"},
		0xc6: {bin, 4, 0, "bin32"},
		0xc7: {ext, 1, 0, "ext8"},
		0xc8: {ext, 2, 0, "ext16"},
		0xc9: {ext, 4, 0, "ext32"},
		0xca: {fixed, 0, 4, "float32"},
		0xcb: {fixed, 0, 8, "float64"},
		0xcc: {fixed, 0, 1, "uint8"},
		0xcd: {fixed, 0, 2, "uint16"},
		0xce: {fixed, 0, 4, "uint32"},
		0xcf: {fixed, 0, 8, "uint64"},
		0xd0: {fixed, 0, 1, "int8"},
		0xd1: {fixed, 0, 2, "int16"},
		0xd2: {fixed, 0, 4, "int32"},
		0xd3: {fixed, 0, 8, "int64"},
		0xd4: {ext, 0, 1, "fixext1"},
		0xd5: {ext, 0, 2, "fixext2"},
		0xd6: {ext, 0, 4, "fixext4"},
		0xd7: {ext, 0, 8, "fixext8"},
		0xd8: {ext, 0, 16, "fixext16"},
		0xd9: {str, 1, 0, "str8"},
		0xda: {str, 2, 0, "str16"},
		0xdb: {str, 4, 0, "str32"},
		0xdc: {array, 2, 0, "array16"},
		0xdd: {array, 4, 0, "array32"},
		0xde: {object, 2, 0, "map16"},
		0xdf: {object, 4, 0, "map32"},
	} {
		f[c] = x
	}
	return f
}()

// Format names the format that begins with c as the specification does.
func Format(c byte) string {
	switch {
	case c <= 0x7f:
		return "positive fixint"
	case c >= 0xe0:
		return "negative fixint"
	case c == 0xc1:
		return "the unused byte c1"
	}
	return formats[c].name
}
