package hostile

import (
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// TestFault01MsgpackCorpus sends everything in testdata/msgpack to servers for
// three types of messages. Each payload ends its own connection with a clear error,
// or is harmless to a type for which the file says so.
//
//	go test -run TestFault01MsgpackCorpus -v ./tests/hostile    what each was told, and what it cost
func TestFault01MsgpackCorpus(t *testing.T) {
	testkit.CheckGoroutines(t)
	cases, err := readHexCases("testdata/msgpack/corpus.txt")
	if err != nil {
		t.Fatal(err)
	}
	runHostile(t, cases, []hostileServer{
		newHostileServer("any", qsocket.Msgpack[any](), any("good")),
		newHostileServer("struct", qsocket.Msgpack[mpStruct](), mpStruct{S: "good", T: time.Unix(1, 0)}),
		newHostileServer("tree", qsocket.Msgpack[mpTree](), mpTree{S: "good"}),
	})
}

// TestFault02GobCorpus sends everything in testdata/gob to servers for three
// types of messages. Each payload must be an error to them and to no other connection.
//
//	go test -run TestFault02GobCorpus -v ./tests/hostile    what each was told, and what it cost
func TestFault02GobCorpus(t *testing.T) {
	testkit.CheckGoroutines(t)
	cases, err := readHostileCases("testdata/gob/cases.txt")
	if err != nil {
		t.Fatal(err)
	}
	runHostile(t, cases, []hostileServer{
		newHostileServer("any", qsocket.Gob[any](), any("good")),
		newHostileServer("struct", qsocket.Gob[hostileStruct](), hostileStruct{A: 1}),
		newHostileServer("recursive", qsocket.Gob[hostileNode](), hostileNode{Next: &hostileNode{Name: "good"}}),
	})
}
