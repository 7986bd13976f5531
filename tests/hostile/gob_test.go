package hostile

import (
	"encoding/gob"
	"time"
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
