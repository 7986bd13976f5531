package value

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/fb9bb4ed/qsocket/internal/schema"
)

// intRange is what an integer type holds.
type intRange struct {
	low  int64
	high uint64
}

// intRanges has a range for each kind of an integer; int and uint have 64 bits.
var intRanges = map[schema.Kind]intRange{
	schema.Int:    {math.MinInt64, math.MaxInt64},
	schema.Int8:   {math.MinInt8, math.MaxInt8},
	schema.Int16:  {math.MinInt16, math.MaxInt16},
	schema.Int32:  {math.MinInt32, math.MaxInt32},
	schema.Int64:  {math.MinInt64, math.MaxInt64},
	schema.Uint:   {0, math.MaxUint64},
	schema.Uint8:  {0, math.MaxUint8},
	schema.Uint16: {0, math.MaxUint16},
	schema.Uint32: {0, math.MaxUint32},
	schema.Uint64: {0, math.MaxUint64},
}

// integer is one of 64 bits, with or without a sign.
type integer struct {
	negative bool
	bits     uint64 // of an int64 if it is negative
}

func (n integer) String() string {
	if n.negative {
		return strconv.FormatInt(int64(n.bits), 10)
	}
	return strconv.FormatUint(n.bits, 10)
}

func (n integer) float() float64 {
	if n.negative {
		return float64(int64(n.bits))
	}
	return float64(n.bits)
}

// fits returns an error if n is none of the integers of a kind.
func (n integer) fits(k schema.Kind) error {
	r := intRanges[k]
	if n.negative && int64(n.bits) < r.low || !n.negative && n.bits > r.high {
		return fmt.Errorf("%s overflows %s", n, kindName(k))
	}
	return nil
}

// exact returns an error if no floating point number of a kind has the value of n.
func (n integer) exact(k schema.Kind) error {
	f := n.float()
	if k == schema.Float32 {
		f = float64(float32(f))
	}
	// The conversions of what does not fit are undefined, so these come first.
	same := n.negative && f >= math.MinInt64 && int64(f) == int64(n.bits) ||
		!n.negative && f < 1<<64 && uint64(f) == n.bits
	if !same {
		return fmt.Errorf("%s is no %s: it would be rounded", n, kindName(k))
	}
	return nil
}

// parseInteger reads an integer of JSON. ok is false for what has a fraction or an exponent,
// and for one of more than 64 bits.
func parseInteger(text string) (n integer, ok bool) {
	if strings.HasPrefix(text, "-") {
		v, err := strconv.ParseInt(text, 10, 64)
		return integer{v < 0, uint64(v)}, err == nil
	}
	v, err := strconv.ParseUint(text, 10, 64)
	return integer{false, v}, err == nil
}

// isInteger reports whether a number of JSON has neither fraction nor exponent.
func isInteger(text string) bool { return !strings.ContainsAny(text, ".eE") }

// float appends a floating point number of so many bits. One that looks like an integer gets
// a fraction, so that it is one again when it is read where its type is not known.
func (w *writer) float(f float64, bits int) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		w.notNumber(f, bits)
		return
	}
	start := len(w.b)
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	w.b = strconv.AppendFloat(w.b, f, format, -1, bits)
	if isInteger(string(w.b[start:])) {
		w.b = append(w.b, ".0"...)
	}
}

// notNumber appends what JSON has no number for.
func (w *writer) notNumber(f float64, bits int) {
	key, text := "$float64", "NaN"
	if bits == 32 {
		key = "$float32"
	}
	switch {
	case math.IsInf(f, 1):
		text = "+Inf"
	case math.IsInf(f, -1):
		text = "-Inf"
	case bits == 32 && math.Float32bits(float32(f)) != quietNaN32:
		text = fmt.Sprintf("0x%08x", math.Float32bits(float32(f)))
	case bits == 64 && math.Float64bits(f) != math.Float64bits(math.NaN()):
		text = fmt.Sprintf("0x%016x", math.Float64bits(f))
	}
	w.open(key)
	w.string([]byte(text))
	w.byte('}')
}

var quietNaN32 = math.Float32bits(float32(math.NaN()))

// float reads a number for a field of a kind, or what stands for one that JSON lacks.
func (n *node) float(k schema.Kind) (bits uint64, err error) {
	size := 64
	if k == schema.Float32 {
		size = 32
	}
	if n.kind == numberNode {
		f, err := strconv.ParseFloat(n.text, size)
		if err != nil {
			return 0, fmt.Errorf("%s overflows %s", clip(n.text), kindName(k))
		}
		return floatBits(f, size), nil
	}
	for _, key := range []string{"$float64", "$float32"} {
		if v := n.tagged(key); v != nil && v.kind == stringNode {
			return v.notNumber(size)
		}
	}
	return 0, n.want("a number")
}

// notNumber reads what notNumber of a writer has written.
func (n *node) notNumber(size int) (bits uint64, err error) {
	switch n.text {
	case "NaN":
		return floatBits(math.NaN(), size), nil
	case "+Inf":
		return floatBits(math.Inf(1), size), nil
	case "-Inf":
		return floatBits(math.Inf(-1), size), nil
	}
	if text, ok := strings.CutPrefix(n.text, "0x"); ok && len(text) == size/4 {
		if v, err := strconv.ParseUint(text, 16, size); err == nil {
			return v, nil
		}
	}
	return 0, fmt.Errorf("want NaN, +Inf, -Inf or 0x and %d hexadecimal digits, got %s", size/4, n.show())
}

func floatBits(f float64, size int) uint64 {
	if size == 32 {
		return uint64(math.Float32bits(float32(f)))
	}
	return math.Float64bits(f)
}
