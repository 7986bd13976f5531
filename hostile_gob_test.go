package qsocket_test

import (
	"encoding/gob"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
)

type (
	hostileStruct struct {
		A      int
		S      string
		B      []byte
		L      []int
		M      map[string]int
		Bigs   []hostileBig
		Any    any
		P      *int
		Arr    [4]int
		At     time.Time
		Strs   []string
		BigMap map[int]hostileBig
	}

	hostileBig struct {
		N   int
		Pad [1016]byte
	}

	hostileNode struct {
		Name  string
		Next  *hostileNode
		Kids  []hostileNode
		Index map[string]hostileNode
		Any   any
	}
)

func init() {
	gob.Register(hostileBig{})
	gob.Register(map[int]int{})
	gob.Register(map[any]int{})
	gob.Register([]map[int]hostileBig{})
}

// TestHostileGob sends everything in testdata/hostile/gob to servers for three
// types of messages. Each payload must be an error to them and to nobody else.
//
//	go test -run TestHostileGob -v .    what each was told, and what it cost
func TestHostileGob(t *testing.T) {
	cases, err := readHostileCases("testdata/hostile/gob/cases.txt")
	if err != nil {
		t.Fatal(err)
	}
	runHostile(t, cases, []hostileServer{
		newHostileServer("any", qsocket.Gob[any](), any("good")),
		newHostileServer("struct", qsocket.Gob[hostileStruct](), hostileStruct{A: 1}),
		newHostileServer("recursive", qsocket.Gob[hostileNode](), hostileNode{Next: &hostileNode{Name: "good"}}),
	})
}
