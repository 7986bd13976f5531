package service

import (
	"os"
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/leak"
)

// TestMain fails the run if goroutines of the module outlive the tests. With serverEnv the
// process is a server of TestRollingRestart instead.
func TestMain(m *testing.M) {
	if os.Getenv(serverEnv) != "" {
		runServer()
		return
	}
	leak.Main(m)
}
