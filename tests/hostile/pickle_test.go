package hostile

import (
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/pickle"
)

type (
	pkStruct struct {
		M map[string]any
		L [][]int
		S string
		B []byte
		N uint8
		T time.Time
		W []struct{ A [1024]byte }
		E [][][]struct{}
		F []struct{}
		P *pkStruct
		A any
	}
	pkTree struct {
		M map[string]pkTree
		L []pkTree
		S string
		E [][][]struct{}
		F []struct{}
		P *pkTree
	}
)

// TestPickleCorpus sends everything in testdata/pickle to servers for three types of messages.
// Each payload ends its own connection with a clear error, or is harmless to a type for which
// the file says so.
//
//	go test -run TestPickleCorpus -v ./tests/hostile    what each was told, and what it cost
func TestPickleCorpus(t *testing.T) {
	testkit.CheckGoroutines(t)
	cases, err := readHexCases("testdata/pickle/corpus.txt")
	if err != nil {
		t.Fatal(err)
	}
	runHostile(t, cases, []hostileServer{
		newHostileServer("any", pickle.Codec[any](), any("good")),
		newHostileServer("struct", pickle.Codec[pkStruct](), pkStruct{S: "good", T: time.Unix(1, 0)}),
		newHostileServer("tree", pickle.Codec[pkTree](), pkTree{S: "good"}),
	})
}
