package shapes

import (
	"fmt"
	"net/netip"
)

// Key is a named string.
type Key string

// mapping returns a map of n entries.
func mapping[K comparable, V any](n int, key func(i int) K, elem func(i int) V) map[K]V {
	m := make(map[K]V, n)
	for i := range n {
		m[key(i)] = elem(i)
	}
	return m
}

func itself(i int) int      { return i }
func addr(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}) }
func uuid(i int) (id [16]byte) {
	copy(id[:], fmt.Sprintf("%016d", i*7919))
	return id
}

func maps() []Shape {
	return []Shape{
		of("map[string]string, nil", map[string]string(nil)),
		of("map[string]string, empty", map[string]string{}),
		of("map[string]string of 1", mapping(1, name, name)),
		of("map[string]string of 4", mapping(4, name, name)),
		of("map[string]string of 10", mapping(10, name, name)),
		of("map[string]string of 100", mapping(100, name, name)),
		of("map[string]string of 100, not ASCII", mapping(100, wort, word)),
		of("map[string]string of 2000", mapping(2000, sentence, name)),
		of("map[string]bool of 100", mapping(100, name, func(i int) bool { return i%2 == 0 })),
		unsorted("map[string]int of 10", mapping(10, name, itself)),
		unsorted("map[string]int of 100", mapping(100, name, itself)),
		unsorted("map[string]uint64 of 100", mapping(100, name, func(i int) uint64 { return uint64(i) << 50 })),
		unsorted("map[string]float64 of 100", mapping(100, name, func(i int) float64 { return float64(i) / 3 })),
		unsorted("map[string][]byte of 100", mapping(100, name, func(i int) []byte { return []byte(sentence(i)) })),
		unsorted("map[string][]string of 50", mapping(50, name, func(i int) []string { return list(4, name) })),
		unsorted("map[string]struct of 50", mapping(50, name, func(int) Order { return order })),
		unsorted("map[string]*struct of 50", mapping(50, name, func(int) *Order { return &order })),
		unsorted("map[string]map[string]string, 20 of 5", mapping(20, name, func(int) map[string]string { return mapping(5, name, name) })),
		unsorted("map[string]map[string]int, 20 of 5", mapping(20, name, func(int) map[string]int { return mapping(5, name, itself) })),
		unsorted("map[Key]int of 100, a named string", mapping(100, func(i int) Key { return Key(name(i)) }, itself)),
		unsorted("map[int]int of 100", mapping(100, itself, itself)),
		unsorted("map[int]string of 100", mapping(100, itself, name)),
		unsorted("map[int64]struct of 50", mapping(50, func(i int) int64 { return int64(i) << 40 }, func(int) Order { return order })),
		unsorted("map[uint64]bool of 1000", mapping(1000, func(i int) uint64 { return uint64(i) * 0x9e3779b97f4a7c15 }, func(int) bool { return true })),
		unsorted("map[float64]int of 100", mapping(100, func(i int) float64 { return float64(i) / 3 }, itself)),
		unsorted("map[bool]int", map[bool]int{true: 1, false: 2}),
		unsorted("map[[16]byte]int of 100", mapping(100, uuid, itself)),
		unsorted("map[[2]int]int of 100", mapping(100, func(i int) [2]int { return [2]int{i % 7, i} }, itself)),
		unsorted("map[struct]int of 100", mapping(100, point, itself)),
		unsorted("map[struct]string of 100, with a string", mapping(100, func(i int) struct {
			Host string
			Port uint16
		} {
			return struct {
				Host string
				Port uint16
			}{name(i), 80}
		}, name)),
		unsorted("map[netip.Addr]int of 100", mapping(100, addr, itself)),
		unsorted("map[any]int of 100", mapping(100, func(i int) any { return name(i) }, itself)),
	}
}
