package testkit

// AppendGobInt appends a signed integer as gob writes it.
func AppendGobInt(b []byte, n int) []byte {
	if n < 0 {
		return AppendGobUint(b, uint64(^n)<<1|1)
	}
	return AppendGobUint(b, uint64(n)<<1)
}

// AppendGobUint appends an unsigned integer as gob writes it.
func AppendGobUint(b []byte, x uint64) []byte {
	if x <= 0x7f {
		return append(b, byte(x))
	}
	n := 8
	for x>>(8*n-8) == 0 {
		n--
	}
	b = append(b, byte(-n))
	for n--; n >= 0; n-- {
		b = append(b, byte(x>>(8*n)))
	}
	return b
}
