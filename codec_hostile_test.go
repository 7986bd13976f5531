//go:build linux

package qsocket_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
)

// The types for which the hostile payloads are decoded, besides any.
type (
	hostileStruct struct {
		M map[string]any
		L [][]int
		S string
		B []byte
		N uint8
		I int64
		T time.Time
		W []struct{ A [1024]byte }
		X []*struct{ A [1024]byte }
		P *hostileStruct
	}
	hostileTree struct {
		M map[string]hostileTree
		L []hostileTree
		P *hostileTree
		S string
		B []byte
	}
)

// hostileCase is a line of a corpus.
type hostileCase struct {
	name    string
	refused string // the types that must refuse it
	payload []byte
}

func readHostile(t *testing.T, file string) (cases []hostileCase) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		line := strings.TrimSpace(s.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		parts := strings.Split(line, "|")
		if len(parts) != 4 {
			t.Fatalf("%s: got %d columns, want 4: %s", file, len(parts), line)
		}
		c := hostileCase{name: strings.TrimSpace(parts[0]), refused: strings.TrimSpace(parts[1])}
		for _, word := range strings.Fields(parts[2]) {
			n, digits := 1, word
			if count, rest, ok := strings.Cut(word, "*"); ok {
				if n, err = strconv.Atoi(count); err != nil {
					t.Fatalf("%s: %v", c.name, err)
				}
				digits = rest
			}
			b, err := hex.DecodeString(digits)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			c.payload = append(c.payload, bytes.Repeat(b, n)...)
		}
		cases = append(cases, c)
	}
	return cases
}

// hostileEnv tells the test binary that it is the child process.
const hostileEnv = "QSOCKET_TEST_HOSTILE"

// TestHostile sends the corpus to Listeners in a process that may have no more
// than 1 GiB of address space besides what it begins with. Each payload must end its own connection with a
// clear error, and the next client must be served.
func TestHostile(t *testing.T) {
	if os.Getenv(hostileEnv) != "" {
		// What the runtime has set aside so far it does not use, for the most part.
		size := uint64(procStatus(t, "VmSize"))<<10 + 1<<30
		limit := syscall.Rlimit{Cur: size, Max: size}
		if err := syscall.Setrlimit(syscall.RLIMIT_AS, &limit); err != nil {
			t.Fatal(err)
		}
		cases := readHostile(t, "testdata/hostile/msgpack/corpus.txt")
		peak := runHostile(t, "any", cases, any("good"))
		peak = max(peak, runHostile(t, "struct", cases, hostileStruct{S: "good", T: time.Unix(1, 0)}))
		peak = max(peak, runHostile(t, "tree", cases, hostileTree{S: "good"}))
		fmt.Printf("%d payloads for 3 types: the process grew by at most %d KiB besides the payload\n", len(cases), peak)
		return
	}
	if raceEnabled {
		t.Skip("the race detector needs more address space than the child may have")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestHostile$", "-test.v")
	cmd.Env = append(os.Environ(), hostileEnv+"=1", "GOMAXPROCS=2")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out[max(0, len(out)-8000):])
	}
	t.Logf("%s", out)
}

// procStatus reads a number of KiB from /proc/self/status.
func procStatus(t *testing.T, key string) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), key+":")
	n, err := strconv.Atoi(strings.Fields(after)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// hostileMemory is how much a process may grow for a payload, besides its length.
const hostileMemory = 64 << 10 // KiB

// runHostile returns by how many KiB the process grew at most.
func runHostile[T any](t *testing.T, typ string, cases []hostileCase, good T) (peak int) {
	ctx := testContext(t)
	var p qsocket.Protocol[T]
	ln, err := qsocket.Listen("tcp", "127.0.0.1:0", p, &qsocket.Options{MaxFrame: 16 << 20})
	if err != nil {
		t.Fatal(err)
	}
	ends := make(chan error, 1)
	served := make(chan error, 1)
	go func() { // until ln is closed
		served <- ln.Serve(context.Background(), func(ctx context.Context, conn *qsocket.Conn[T]) {
			for v := range conn.Messages() {
				if conn.Send(ctx, v) != nil {
					break
				}
			}
			ends <- conn.Err()
		})
	}()
	defer func() {
		ln.Close()
		<-served
	}()
	for _, c := range cases {
		t.Run(typ+"/"+c.name, func(t *testing.T) {
			debug.FreeOSMemory()
			if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
				t.Logf("peak memory is that of all payloads so far: %v", err)
			}
			before := procStatus(t, "VmRSS")
			conn, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			conn.Write(binary.BigEndian.AppendUint32(nil, uint32(len(c.payload))))
			conn.Write(c.payload)
			conn.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, conn)
			conn.Close()
			err = <-ends
			grown := procStatus(t, "VmHWM") - before - len(c.payload)>>10
			if peak = max(peak, grown); grown > hostileMemory {
				t.Errorf("the process grew by %d KiB besides the payload, want at most %d", grown, hostileMemory)
			}
			var codec *qsocket.CodecError
			must := c.refused == "*" || strings.Contains(","+c.refused+",", ","+typ+",")
			switch {
			case err != nil && !errors.As(err, &codec):
				t.Errorf("got %v, want a *CodecError", err)
			case err == nil && must:
				t.Error("got no error")
			case errors.Is(err, io.EOF), err != nil && strings.Contains(err.Error(), "panic"):
				t.Errorf("got %v", err)
			}

			client, err := qsocket.Dial(ctx, "tcp", ln.Addr().String(), p, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := client.Send(ctx, good); err != nil {
				t.Error(err)
			}
			if _, err := client.Recv(ctx); err != nil {
				t.Errorf("the next client: %v", err)
			}
			client.Close()
			<-ends
		})
	}
	return peak
}
