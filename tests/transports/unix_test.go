//go:build unix

package transports_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// listenUnixAnew listens on a path at which the socket of a process may be left that did not
// end by itself. It is for one process at a time: two that start together could remove each
// other's.
func listenUnixAnew(path string) (net.Listener, error) {
	info, err := os.Lstat(path)
	if err == nil && info.Mode()&os.ModeSocket != 0 { // connecting to a plain file is refused as well
		nc, err := net.Dial("unix", path)
		if err == nil {
			_ = nc.Close()
			return nil, fmt.Errorf("%s: a process listens there: %w", path, syscall.EADDRINUSE)
		}
		if errors.Is(err, syscall.ECONNREFUSED) { // nothing listens
			_ = os.Remove(path)
		}
	}
	return net.Listen("unix", path)
}

// leaveSocket leaves a socket at the path, as a process does that is killed.
func leaveSocket(t *testing.T, path string) {
	t.Helper()
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	ln.SetUnlinkOnClose(false)
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestUnixLeftover(t *testing.T) {
	dir := testkit.ShortTempDir(t)
	left := filepath.Join(dir, "left")
	leaveSocket(t, left)
	if ln, err := qsocket.Listen("unix", left, testkit.Raw, nil); !errors.Is(err, syscall.EADDRINUSE) {
		if err == nil {
			testkit.EndListener(ln)
		}
		t.Errorf("Listen where a socket is left: %v, want EADDRINUSE", err)
	}
	nl, err := listenUnixAnew(left)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := qsocket.NewListener(nl, testkit.Raw, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := listenUnixAnew(left); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("beside a process that listens: %v, want EADDRINUSE", err)
	}
	c, err := qsocket.Dial(testkit.Context(t), "unix", left, testkit.Raw, nil)
	if err != nil {
		t.Fatal(err)
	}
	testkit.End(c)
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after Close: %v, want no file", err)
	}

	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listenUnixAnew(file); err == nil {
		t.Error("listens where there is a file")
	}
	if b, err := os.ReadFile(file); string(b) != "precious" {
		t.Errorf("the file has become %q, %v", b, err)
	}
}

// activated returns the socket that systemd has opened for this process: its file
// descriptor 3, as the environment says.
func activated() (net.Listener, error) {
	if os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) || os.Getenv("LISTEN_FDS") != "1" {
		return nil, errors.New("want one socket of systemd: LISTEN_PID and LISTEN_FDS")
	}
	f := os.NewFile(3, "LISTEN_FD_3")
	defer f.Close() // FileListener has made a copy
	return net.FileListener(f)
}

// childOf, in the environment, makes TestActivated the process that is started.
const childOf = "QSOCKET_ACTIVATED"

// TestActivated passes a listening socket to a process, as systemd does, and talks to it.
func TestActivated(t *testing.T) {
	if os.Getenv(childOf) != "" {
		serveActivated(t)
		return
	}
	path := filepath.Join(testkit.ShortTempDir(t), "s")
	for _, address := range [][2]string{{"tcp", "127.0.0.1:0"}, {"unix", path}} {
		t.Run(address[0], func(t *testing.T) {
			ln, err := net.Listen(address[0], address[1])
			if err != nil {
				t.Fatal(err)
			}
			f, err := ln.(interface{ File() (*os.File, error) }).File()
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			addr := ln.Addr().String()
			defer ln.Close()
			cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", `LISTEN_PID=$$ exec "$0" -test.run='^TestActivated$'`, os.Args[0])
			cmd.Env = append(os.Environ(), "LISTEN_FDS=1", childOf+"=1")
			cmd.ExtraFiles = []*os.File{f} // descriptor 3
			out, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			said := testkit.Async(func() string { b, _ := io.ReadAll(out); return string(b) })
			c, err := qsocket.Dial(testkit.Context(t), address[0], addr, named.protocol(), nil)
			if err != nil {
				t.Fatal(err)
			}
			e := &env{T: t, patience: hang}
			if err := sendAll(c, 1, 2, 1000); err != nil {
				t.Error(err)
			}
			if err := expect(e, c, 1, 2, 1000); err != nil {
				t.Error(err)
			}
			if err := c.Shutdown(testkit.Context(t)); err != nil {
				t.Error(err)
			}
			text := testkit.Result(t, "the end of the process", said)
			if err := cmd.Wait(); err != nil {
				t.Errorf("the process: %v\n%s", err, text)
			}
			if address[0] == "unix" { // systemd goes on listening there
				if _, err := os.Lstat(path); err != nil {
					t.Errorf("the process has removed the socket: %v", err)
				}
			}
		})
	}
}

// serveActivated answers one client, and ends.
func serveActivated(t *testing.T) {
	nl, err := activated()
	if err != nil {
		t.Fatal(err)
	}
	ln, err := qsocket.NewListener(nl, named.protocol(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(testkit.Context(t))
	defer cancel()
	err = ln.Serve(ctx, func(ctx context.Context, c *qsocket.Conn[[]byte]) {
		defer cancel()
		for m := range c.All(context.Background()) {
			_ = c.Send(ctx, m) // an error ends the loop too
		}
	})
	if err != nil {
		t.Error(err)
	}
	testkit.EndListener(ln)
}
