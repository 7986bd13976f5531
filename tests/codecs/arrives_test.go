package codecs

import (
	"flag"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/fb9bb4ed/qsocket"
)

var rounds = flag.Int("codecs.rounds", 400, "values of each type that TestWhatIsSentArrives sends by each codec")

// subject is a type of messages.
type subject struct {
	name  string
	round func(codec string, seed uint64) (accepted bool, problem string)
}

// of makes a subject of T: each round has an encoder and a decoder that have seen others.
func of[T any]() subject {
	codecs := map[string]qsocket.Codec[T]{"msgpack": qsocket.Msgpack[T](), "json": qsocket.JSON[T](), "gob": qsocket.Gob[T]()}
	type ends struct {
		enc qsocket.Encoder[T]
		dec qsocket.Decoder[T]
	}
	open := make(map[string]*ends)
	var mu sync.Mutex
	return subject{fmt.Sprintf("%T", *new(T)), func(codec string, seed uint64) (bool, string) {
		mu.Lock()
		defer mu.Unlock()
		e := open[codec]
		if e == nil {
			e = &ends{codecs[codec].NewEncoder(), codecs[codec].NewDecoder()}
			open[codec] = e
		}
		v := new(T)
		newDrawer(seed).fill(reflect.ValueOf(v).Elem(), 0)
		payload, err := e.enc.Append(nil, *v)
		if err != nil {
			return false, ""
		}
		delete(open, codec) // unless all goes well
		got, err := e.dec.Decode(payload)
		if err != nil && codec == "msgpack" && strings.Contains(err.Error(), "where a string is expected") {
			return true, "" // a map in an any arrives with strings as keys, or not at all
		}
		if err != nil {
			return true, fmt.Sprintf("it was accepted, but the receiver says: %v", err)
		}
		if d := (comparer{codec}).different(reflect.ValueOf(v).Elem(), reflect.ValueOf(&got).Elem(), ""); d != "" {
			return true, "arrives changed: " + d
		}
		open[codec] = e
		return true, ""
	}}
}

var subjects = []subject{
	of[numbers](), of[texts](), of[pointers](), of[lists](), of[maps](), of[keys](), of[anyKeys](), of[timeKeys](), of[times](),
	of[embeds](), of[options](), of[node](), of[*node](), of[tree](), of[loose](), of[standard](), of[methods](),
	of[any](), of[[]any](), of[map[string]any](), of[string](), of[[]byte](), of[int8](), of[float64](), of[[]node](), of[map[string]maps](),
	of[*custom](), of[color](), of[[3]point](),
}

// Whatever Send accepts, the receiver gets: a value equal to what was sent, or one that
// differs as the documentation of its codec says.
//
//	go test -run TestWhatIsSentArrives ./tests/codecs -codecs.rounds 12000    a million
func TestWhatIsSentArrives(t *testing.T) {
	for _, codec := range []string{"msgpack", "json", "gob"} {
		for _, s := range subjects {
			if codec == "json" && s.name == "codecs.anyKeys" {
				continue // from Go 1.27 on such keys are sent, and arrive as strings
			}
			t.Run(codec+"/"+s.name, func(t *testing.T) {
				accepted, problems := 0, 0
				for seed := range uint64(*rounds) {
					ok, problem := s.round(codec, seed)
					if ok {
						accepted++
					}
					if problem != "" {
						t.Errorf("seed %d: %.600s", seed, problem)
						if problems++; problems == 3 {
							break
						}
					}
				}
				t.Logf("%d of %d values accepted", accepted, *rounds)
				if accepted == 0 && !(codec == "json" && (s.name == "codecs.keys" || s.name == "codecs.anyKeys")) {
					t.Errorf("none of %d values was accepted", *rounds)
				}
			})
		}
	}
}
