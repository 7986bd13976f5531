package gobscan_test

import (
	"errors"
	"io"
	"reflect"
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/gobscan"
)

// FuzzScan checks streams of two payloads. It must end, not panic, and not return
// a bare io.EOF. That what passes is safe is for FuzzGobDecode of the package.
func FuzzScan(f *testing.F) {
	for _, v := range []any{sample, tree{Name: "a", Kids: []tree{{Any: 1}, {Any: wide{N: 1}}}}, map[string][]int{"a": {1, 2}}, [2]complex64{1i}} {
		payloads := encode(f, v, v)
		f.Add(payloads[0], payloads[1])
		boxed := encode(f, &v)
		f.Add(boxed[0], boxed[0])
	}
	types := []reflect.Type{reflect.TypeFor[order](), reflect.TypeFor[tree](), reflect.TypeFor[any](), reflect.TypeFor[map[string][]int]()}
	scanners := make([]*gobscan.Scanner, len(types))
	for i, t := range types {
		scanners[i] = gobscan.New(t)
	}
	f.Fuzz(func(t *testing.T, first, next []byte) {
		for _, s := range scanners {
			s.Reset()
			err := s.Scan(first)
			if err == nil {
				err = s.Scan(next)
			}
			if errors.Is(err, io.EOF) {
				t.Fatalf("got %v, want no io.EOF", err)
			}
		}
	})
}
