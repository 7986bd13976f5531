package hostile

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// hostileMaxFrame is what the servers accept, hostileHeap what a case may cost them
// in memory besides its payload, hostileSpace the address space that they have
// besides what a Go program has when it starts.
const (
	hostileMaxFrame = 16 << 20
	hostileHeap     = 64 << 20
	hostileSpace    = 1 << 30
)

// hostileServer is a server under test. attack sends the case to it and returns the
// error with which its Conn ended, then lets a good client have its turn.
type hostileServer struct {
	name   string
	attack func(hostileCase) error
	serve  func() (end func())
	log    *testkit.LogCheck
}

// newHostileServer makes a server for any codec. good is a message that it decodes.
func newHostileServer[T any](name string, codec qsocket.Codec[T], good T) hostileServer {
	p := qsocket.Protocol[T]{Codec: codec}
	var ln *qsocket.Listener[T]
	ended := make(chan error, 1)
	log := new(testkit.LogCheck)
	serve := func() func() {
		var err error
		ln, err = qsocket.Listen("tcp", "127.0.0.1:0", p, &qsocket.Options{MaxFrame: hostileMaxFrame, Logger: log.Logger()})
		if err != nil {
			panic(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		served := testkit.Async(func() error {
			return ln.Serve(ctx, func(ctx context.Context, conn *qsocket.Conn[T]) {
				for m := range conn.Messages() {
					_ = conn.Send(ctx, m) // the good client is waiting for it
				}
				ended <- conn.Err()
			})
		})
		return func() { cancel(); <-served }
	}
	attack := func(c hostileCase) error {
		nc, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			return fmt.Errorf("the server is gone: %w", err)
		}
		for _, payload := range c.payloads {
			if _, err := nc.Write(binary.BigEndian.AppendUint32(nil, uint32(len(payload)))); err != nil {
				break // it has had enough
			}
			if _, err := nc.Write(payload); err != nil {
				break
			}
		}
		_ = nc.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, nc)
		nc.Close()
		outcome := <-ended

		ctx, cancel := context.WithTimeout(context.Background(), testkit.Timeout)
		defer cancel()
		conn, err := qsocket.Dial(ctx, "tcp", ln.Addr().String(), p, nil)
		if err == nil {
			err = conn.Send(ctx, good)
		}
		if err == nil {
			_, err = conn.Recv(ctx)
		}
		if err == nil {
			err = conn.Close()
		}
		if err == nil {
			err = <-ended
		}
		if err != nil {
			return fmt.Errorf("the next client: %w", err)
		}
		return outcome
	}
	return hostileServer{name, attack, serve, log}
}

// hostileChild, in the environment, makes the test its own child. It is the number
// of the first case that the child runs.
const hostileChild = "QSOCKET_HOSTILE_FROM"

// runHostile runs the cases against the servers in a child process, and goes on
// in another one if the child dies.
func runHostile(t *testing.T, cases []hostileCase, servers []hostileServer) {
	if from, err := strconv.Atoi(os.Getenv(hostileChild)); err == nil {
		beHostileChild(cases[from:], from, servers)
		return
	}
	if testing.Short() {
		t.Skip("starts processes and moves gigabytes")
	}
	attacks, deaths, peak := 0, 0, 0
	for from := 0; from < len(cases); {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.timeout=5m")
		cmd.Env = append(os.Environ(), fmt.Sprint(hostileChild, "=", from))
		stderr := &tail{}
		cmd.Stderr = stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		last, began, complete := from, "", false
		for lines := bufio.NewScanner(out); lines.Scan(); {
			cols := strings.Split(lines.Text(), "\t")
			switch cols[0] {
			case "begin":
				last, _ = strconv.Atoi(cols[1])
				began = cols[2]
			case "end":
				kib, _ := strconv.Atoi(cols[1])
				attacks, peak = attacks+1, max(peak, kib)
				t.Logf("%-44s %6d KiB  %s", began, kib, cols[3])
				if cols[2] != "ok" {
					t.Errorf("%s: %s", began, cols[3])
				}
			case "note":
				t.Log(cols[1])
			case "complete":
				complete = true
			}
		}
		err = cmd.Wait()
		if complete && err == nil {
			break
		}
		deaths++
		t.Errorf("%s: the process died: %v\n%s", began, err, stderr)
		if from = last + 1; deaths == 10 {
			t.Fatal("enough")
		}
	}
	t.Logf("%d attacks, %d deaths, at most %d KiB above the payload", attacks, deaths, peak)
}

// beHostileChild tells its parent, on standard output, what it is doing.
func beHostileChild(cases []hostileCase, from int, servers []hostileServer) {
	if err := limitHostile(); err != nil {
		fmt.Printf("note\t%v\n", err)
	}
	for _, s := range servers {
		defer s.serve()()
	}
	for i, c := range cases {
		for _, s := range servers {
			if c.only != "" && c.only != s.name {
				continue
			}
			fmt.Printf("begin\t%d\t%s, %s\n", from+i, c.name, s.name)
			freeHostile()
			above := watchHostile()
			hangs := time.AfterFunc(testkit.Timeout, func() { panic("hangs") })
			err := s.attack(c)
			hangs.Stop()
			kib := max(above()-c.size(), 0) >> 10

			verdict := "ok"
			var ce *qsocket.CodecError
			if err == nil && c.refused != nil && !slices.Contains(c.refused, s.name) {
				err = errHarmless
			} else if !errors.As(err, &ce) || errors.Is(err, io.EOF) || strings.HasPrefix(err.Error(), "the ") {
				verdict, err = "bad", fmt.Errorf("got %w, want a *CodecError", err)
			} else if kib > hostileHeap>>10 && !testkit.RaceEnabled {
				verdict, err = "bad", fmt.Errorf("took %d KiB above the payload, want at most %d", kib, hostileHeap>>10)
			} else if fault := testkit.ErrorFault(err); fault != "" {
				verdict, err = "bad", errors.New(fault)
			} else if faults := s.log.Faults(); len(faults) > 0 {
				verdict, err = "bad", fmt.Errorf("logged: %q", faults)
			}
			fmt.Printf("end\t%d\t%s\t%s\n", kib, verdict, strings.ReplaceAll(fmt.Sprint(err), "\n", " "))
		}
	}
	fmt.Println("complete")
}

var errHarmless = errors.New("harmless")

// tail keeps the beginning of what a dying process says, where the reason stands.
type tail struct{ b []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p[:min(len(p), max(0, 2000-len(t.b)))]...)
	return len(p), nil
}

func (t *tail) String() string { return string(t.b) }
