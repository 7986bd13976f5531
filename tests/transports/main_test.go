package transports_test

import (
	"flag"
	"os"
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/leak"
)

// inParallel is how many cases run at the same time: most of them wait, so it is more than
// there are processors.
const inParallel = "20"

var update = flag.Bool("update", false, "write the table in docs/transports.md")

// TestMain fails the run if goroutines of the library outlive the tests.
func TestMain(m *testing.M) {
	if f := flag.Lookup("test.parallel"); f != nil {
		_ = f.Value.Set(inParallel) // a number; the command line comes after it
	}
	_ = os.Setenv("QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING", "true") // its socket is wrapped here
	leak.Main(m)
}
