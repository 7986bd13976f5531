package testkit

import (
	"runtime"
)

// Allocated returns how many bytes f allocates, other goroutines included.
func Allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// HeapPer returns by how many bytes the live heap has grown for each of n
// things since before.
func HeapPer(n int, before uint64) int64 {
	return (int64(LiveHeap()) - int64(before)) / int64(n)
}

// LiveHeap returns how many bytes of the heap are in use.
func LiveHeap() uint64 {
	runtime.GC()
	runtime.GC() // twice, so that pools are empty as well
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
