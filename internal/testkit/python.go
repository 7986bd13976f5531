package testkit

import (
	"os"
	"os/exec"
	"testing"
)

// Python returns a command that runs Python with the package msgpack, or skips the test
// if there is none. The command is killed when the test takes too long.
func Python(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	for _, python := range []string{"python3", "/usr/bin/python3", "python"} {
		if exec.Command(python, "-c", "import msgpack, sys; assert sys.version_info >= (3, 8)").Run() == nil {
			cmd := exec.CommandContext(Context(t), python, args...)
			cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
			return cmd
		}
	}
	t.Skip("no Python 3.8 or later with the package msgpack: apt-get install python3-msgpack, or pip install msgpack")
	panic("unreachable")
}
