package qsocket_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
)

// What an any holds arrives as other types, which may take much more than what was sent: the
// encoder refuses what the receiver would, and nothing else.
func TestMsgpackExpansionOfAnys(t *testing.T) {
	type one struct{ A int8 }
	type omits struct {
		A, B, C, D, E, F, G, H int  `msgpack:",omitempty"`
		I                      int8 `msgpack:",omitempty"`
	}
	zero := []byte{}
	makers := map[string]func(n int) any{
		"empty structs":         func(n int) any { return make([]struct{}, n) },
		"structs of one field":  func(n int) any { return make([]one, n) },
		"structs that are maps": func(n int) any { return make([]omits, n) },
		"maps":                  func(n int) any { return repeat(map[string]int{"a": 1}, n) },
		"empty maps":            func(n int) any { return repeat(map[string]int{}, n) },
		"lists":                 func(n int) any { return repeat([]int{}, n) },
		"lists of any":          func(n int) any { return repeat(any([]any{[]any{}}), n) },
		"strings":               func(n int) any { return make([]string, n) },
		"numbers":               func(n int) any { return repeat(200, n) },
		"bytes":                 func(n int) any { return repeat(zero, n) },
		"times":                 func(n int) any { return repeat(time.Unix(1, 0), n) },
		"one string":            func(n int) any { return []any{strings.Repeat("a", n), make([]struct{}, n/100)} },
		"bytes in an array":     func(n int) any { return repeat([2]byte{}, n) },
		"structs in anys": func(n int) any {
			return map[string]any{"a": repeat(any(one{}), n/2), "b": struct{ X []struct{} }{make([]struct{}, n/2)}}
		},
	}
	refused, accepted := 0, 0
	for name, m := range makers {
		for _, factor := range []int{1, 3, 64} {
			for _, n := range []int{0, 1, 100, 700, 770, 900, 5000} {
				checkExpansion(t, fmt.Sprintf("%d %s × %d", n, name, factor), factor, m(n), &refused, &accepted)
				checkExpansion(t, fmt.Sprintf("%d %s × %d, in a struct", n, name, factor), factor, struct {
					A int
					V any
				}{1, m(n)}, &refused, &accepted)
			}
		}
	}
	t.Logf("%d refused, %d accepted", refused, accepted)
}

func repeat[E any](e E, n int) []E {
	s := make([]E, n)
	for i := range s {
		s[i] = e
	}
	return s
}

func checkExpansion[T any](t *testing.T, name string, factor int, v T, refused, accepted *int) {
	t.Helper()
	for _, arrays := range []bool{false, true} {
		opts := []qsocket.MsgpackOption{qsocket.MaxExpansion(factor)}
		free := []qsocket.MsgpackOption{qsocket.MaxExpansion(1 << 20)}
		if arrays {
			opts, free = append(opts, qsocket.ArrayEncodedStructs()), append(free, qsocket.ArrayEncodedStructs())
		}
		want, err := qsocket.Msgpack[T](free...).NewEncoder().Append(nil, v)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, no := qsocket.Msgpack[T](opts...).NewDecoder().Decode(want)
		got, err := qsocket.Msgpack[T](opts...).NewEncoder().Append(nil, v)
		switch {
		case err == nil && no != nil:
			t.Errorf("%s: it is accepted, but the receiver says: %v", name, no)
		case err != nil && no == nil:
			t.Errorf("%s: it is refused, but would arrive: %v", name, err)
		case err == nil && !bytes.Equal(got, want):
			t.Errorf("%s: the payloads differ", name)
		case err == nil:
			*accepted++
		default:
			*refused++
		}
	}
}
