package pickle

import (
	"encoding/binary"
	"math"
	"math/big"
	"slices"
)

// appendInt appends the shortest opcode for i.
func appendInt(b []byte, i int64) []byte {
	switch {
	case i >= 0 && i <= math.MaxUint8:
		return append(b, opBinInt1, byte(i))
	case i >= 0 && i <= math.MaxUint16:
		return append(b, opBinInt2, byte(i), byte(i>>8))
	case i >= math.MinInt32 && i <= math.MaxInt32:
		return binary.LittleEndian.AppendUint32(append(b, opBinInt), uint32(int32(i)))
	}
	var raw [8]byte
	binary.LittleEndian.PutUint64(raw[:], uint64(i))
	return appendLong(b, raw[:])
}

func appendUint(b []byte, u uint64) []byte {
	if u <= math.MaxInt64 {
		return appendInt(b, int64(u))
	}
	var raw [9]byte
	binary.LittleEndian.PutUint64(raw[:], u)
	return appendLong(b, raw[:])
}

func appendBig(b []byte, z *big.Int) []byte {
	if z.IsInt64() {
		return appendInt(b, z.Int64())
	}
	abs := z
	if z.Sign() < 0 {
		abs = new(big.Int).Not(z) // -z - 1, whose bits are the inverse of those of z
	}
	raw := append([]byte{0}, abs.Bytes()...)
	slices.Reverse(raw)
	if z.Sign() < 0 {
		for i := range raw {
			raw[i] = ^raw[i]
		}
	}
	return appendLong(b, raw)
}

// appendLong appends an integer in two's complement, little-endian.
func appendLong(b, raw []byte) []byte {
	raw = shortest(raw)
	if len(raw) <= math.MaxUint8 {
		b = append(b, opLong1, byte(len(raw)))
	} else {
		b = binary.LittleEndian.AppendUint32(append(b, opLong4), uint32(len(raw)))
	}
	return append(b, raw...)
}

func (e *encoder) appendText(b []byte, s string) []byte {
	b = e.appendCount(b, len(s), opShortBinUnicode, opBinUnicode, opBinUnicode8)
	return append(b, s...)
}

func (e *encoder) appendBytes(b, s []byte) []byte {
	short := byte(opShortBinBytes)
	b = e.appendCount(b, len(s), short, opBinBytes, opBinBytes8)
	return append(b, s...)
}

// appendCount appends the shortest of three opcodes, which have counts of 1, 4 and 8 bytes.
// The first one for text, and the last ones, are of protocol 4.
func (e *encoder) appendCount(b []byte, n int, short, medium, long byte) []byte {
	switch {
	case n <= math.MaxUint8 && (e.protocol >= 4 || short != opShortBinUnicode):
		return append(b, short, byte(n))
	case uint64(n) <= math.MaxUint32:
		return binary.LittleEndian.AppendUint32(append(b, medium), uint32(n))
	}
	return binary.LittleEndian.AppendUint64(append(b, long), uint64(n))
}

// appendGlobal appends what leaves a function of Python on the stack.
func (e *encoder) appendGlobal(b []byte, module, name string) []byte {
	if e.protocol >= 4 {
		b = e.appendText(b, module)
		b = e.appendText(b, name)
		return append(b, opStackGlobal)
	}
	return append(append(b, opGlobal), module+"\n"+name+"\n"...)
}
