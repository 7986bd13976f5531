package shapes

import (
	"strings"
	"time"
)

// anys returns a slice of interfaces.
func anys[T any](n int, elem func(i int) T) []any {
	return list(n, func(i int) any { return elem(i) })
}

func interfaces() []Shape {
	record := map[string]any{
		"time": time.Unix(1764000000, 5), "level": "info", "msg": "request done", "status": 200, "took": 0.25,
		"path": "/v1/orders", "user": "desk-7", "cached": false, "tags": []any{"eu", "west"}, "error": nil,
	}
	mixed := anys(100, func(i int) any {
		return [...]any{nil, true, i, "text", 2.5, []byte("bytes"), int8(1), uint16(2), int32(-3), float32(4.5), []any{1}, map[string]any{"a": 1}}[i%12]
	})
	return []Shape{
		of("any, nil", any(nil)),
		of("any, a string", any("some text")),
		of("any, an int", any(1000)),
		of("any, a struct", any(order)),
		of("any, a pointer to a struct", any(&order)),
		of("any, []string of 100", any(list(100, name))),
		of("any, []int of 100", any(list(100, itself))),
		of("any, []float64 of 100", any(list(100, numberOf[float64]))),
		of("any, map[string]string of 10", any(mapping(10, name, name))),
		unsorted("any, map[string]int of 10", any(mapping(10, name, itself))),
		unsorted("any, map[string][]string of 10", any(mapping(10, name, func(int) []string { return list(3, name) }))),
		of("any, []map[string]any of 20", any(list(20, func(i int) map[string]any { return map[string]any{"id": i, "name": name(i)} }))),
		of("any, []byte of 1 KiB", any([]byte(strings.Repeat("x", 1024)))),
		of("[]any of 1000 int", anys(1000, itself)),
		of("[]any of 1000 int8", anys(1000, numberOf[int8])),
		of("[]any of 1000 uint8", anys(1000, func(i int) uint8 { return uint8(i) })),
		of("[]any of 1000 int32", anys(1000, numberOf[int32])),
		of("[]any of 1000 uint64", anys(1000, numberOf[uint64])),
		of("[]any of 1000 float32", anys(1000, numberOf[float32])),
		of("[]any of 1000 float64", anys(1000, numberOf[float64])),
		of("[]any of 1000 bool", anys(1000, func(i int) bool { return i%2 == 0 })),
		of("[]any of 1000 string", anys(1000, name)),
		of("[]any of 100 time.Duration", anys(100, func(i int) time.Duration { return time.Duration(i) })),
		of("[]any of 100 struct", anys(100, point)),
		of("[]any of 100 *struct", anys(100, func(i int) *Point { p := point(i); return &p })),
		of("[]any of 100 []string", anys(100, func(i int) []string { return list(3, name) })),
		of("[]any of 100, mixed", mixed),
		of("map[string]any of 10, a log record", record),
		of("map[string]any of 100 strings", mapping(100, name, func(i int) any { return name(i) })),
		of("map[string]any of 100 numbers", mapping(100, name, func(i int) any { return i })),
		of("struct with a map[string]any", struct {
			ID   uint64
			Data map[string]any
		}{1, record}),
	}
}
