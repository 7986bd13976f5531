package fit

import (
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/leak"
)

// TestMain fails the run if goroutines of the module outlive the tests.
func TestMain(m *testing.M) { leak.Main(m) }
