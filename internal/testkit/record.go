package testkit

import (
	"time"
)

// What the codecs' tests send.
type (
	// Point is a small struct.
	Point struct{ X, Y int }

	// Leaf has a pointer.
	Leaf struct {
		Name string
		At   *Point
	}

	// Record has a field of every kind.
	Record struct {
		ID     uint64
		Signed int32
		Small  int8
		Text   string
		Raw    []byte
		Ratio  float64
		Half   float32
		Yes    bool
		When   time.Time
		Wait   time.Duration
		Tags   []string
		Points []Point
		Pair   [2]uint16
		Next   *Record
		Leaf   Leaf
		Counts map[string]int
		Names  map[int]string
		Flags  map[string]bool
	}

	// Order is a flat message of about 100 bytes.
	Order struct {
		ID     uint64
		Symbol string
		Side   uint8
		Price  float64
		Qty    int64
		Client string
		Tags   []string
		TS     int64
	}
)
