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
	cmd := python(t, "import msgpack, sys; assert sys.version_info >= (3, 8)", args)
	if cmd == nil {
		Absent(t, "no Python 3.8 or later with the package msgpack: apt-get install python3-msgpack, or pip install msgpack")
	}
	return cmd
}

// PlainPython is Python without packages.
func PlainPython(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	cmd := python(t, "import sys; assert sys.version_info >= (3, 6)", args)
	if cmd == nil {
		Absent(t, "no Python 3.6 or later on PATH: apt-get install python3, or python.org")
	}
	return cmd
}

// python returns a command for the first Python that can run check, or nil.
func python(t testing.TB, check string, args []string) *exec.Cmd {
	for _, python := range []string{"python3", "/usr/bin/python3", "python"} {
		if exec.Command(python, "-c", check).Run() == nil {
			cmd := exec.CommandContext(Context(t), python, args...)
			cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
			return cmd
		}
	}
	return nil
}

// PythonWith returns a command that runs Python with these modules, or skips the test
// with a word on how to install them.
func PythonWith(t testing.TB, modules, install string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := python(t, "import "+modules, args)
	if cmd == nil {
		Absent(t, "no Python with the modules "+modules+": "+install)
	}
	return cmd
}
