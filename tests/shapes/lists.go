package shapes

import (
	"fmt"
	"time"
)

// Level is a named number.
type Level uint8

// list returns n elements.
func list[T any](n int, elem func(i int) T) []T {
	s := make([]T, n)
	for i := range s {
		s[i] = elem(i)
	}
	return s
}

func numberOf[T int | int8 | uint16 | int32 | int64 | uint64 | float32 | float64](i int) T {
	return T(i%100) * T(1+i%2)
}

// Texts of different lengths.
func name(i int) string { return fmt.Sprintf("name-%d", i) }
func wort(i int) string { return fmt.Sprintf("Übergröße %d", i) }
func word(i int) string {
	return [...]string{"東京", "大阪府", "naïve", "Москва", "città", "Zürich", "señor", "crème"}[i%8]
}
func sentence(i int) string {
	return fmt.Sprintf("The quick brown fox number %d jumps over the lazy dog, again and again.", i)
}
func point(i int) Point { return Point{int32(i), -int32(i)} }

func lists() []Shape {
	var array [16]int
	for i := range array {
		array[i] = i * i
	}
	return []Shape{
		of("[]bool of 1000", list(1000, func(i int) bool { return i%3 == 0 })),
		of("[]int of 10", list(10, numberOf[int])),
		of("[]int of 1000", list(1000, numberOf[int])),
		of("[]int8 of 1000", list(1000, numberOf[int8])),
		of("[]uint16 of 1000", list(1000, numberOf[uint16])),
		of("[]int32 of 1000", list(1000, numberOf[int32])),
		of("[]int64 of 1000, nine bytes", list(1000, func(i int) int64 { return -1<<40 - int64(i) })),
		of("[]uint64 of 1000", list(1000, numberOf[uint64])),
		of("[]float32 of 1000", list(1000, numberOf[float32])),
		of("[]float64 of 1000", list(1000, numberOf[float64])),
		of("[]Level of 1000, a slice of named bytes", list(1000, func(i int) Level { return Level(i) })),
		of("[]time.Duration of 100", list(100, func(i int) time.Duration { return time.Duration(i) * time.Millisecond })),
		of("[]time.Time of 100", list(100, func(i int) time.Time { return time.Unix(1764000000+int64(i), 0) })),
		of("[16]int", array),
		of("[16]byte", [16]byte{1, 2, 3, 15: 255}),
		of("[]string of 3", list(3, name)),
		of("[]string of 100, names", list(100, name)),
		of("[]string of 100, sentences", list(100, sentence)),
		of("[]string of 100, not ASCII, short", list(100, word)),
		of("[]string of 100, not ASCII, all new", list(100, wort)),
		of("[]string of 10000, all new", list(10000, name)),
		of("[][]byte of 100", list(100, func(i int) []byte { return []byte(sentence(i)) })),
		of("[][]int, 30 of 30", list(30, func(int) []int { return list(30, numberOf[int]) })),
		of("[][]string, 30 of 5", list(30, func(int) []string { return list(5, name) })),
		of("[]struct of 100 points", list(100, point)),
		of("[]struct of 100 orders", list(100, func(i int) Order { o := order; o.ID = uint64(i); return o })),
		of("[]*struct of 100 points", list(100, func(i int) *Point { p := point(i); return &p })),
		of("[]map[string]string, 50 of 4", list(50, func(i int) map[string]string {
			return map[string]string{"id": name(i), "kind": "a", "from": "here", "to": "there"}
		})),
	}
}
