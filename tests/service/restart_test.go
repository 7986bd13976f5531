//go:build unix

package service

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// serverEnv makes a process of the test a server.
const serverEnv = "QSOCKET_TEST_SERVER"

// runServer is a server process: it says where it listens, answers, and ends by itself on
// SIGTERM.
func runServer() {
	ln, err := qsocket.Listen("tcp", "127.0.0.1:0", testkit.Named, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ln.Addr())
	if err := serveUntilSignal(ln, answer); err != nil {
		log.Fatal(err)
	}
	fmt.Println("drained", ln.Totals().MessagesSent)
}

// serveUntilSignal stops a server as the documentation of the package says, see TestDocumentedStop.
func serveUntilSignal(ln *qsocket.Listener[string], handle func(context.Context, *qsocket.Conn[string])) error {
	stopping, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	served := make(chan error, 1)
	go func() { served <- ln.Serve(context.Background(), handle) }() // not stopping: its end cuts off the handlers
	select {
	case err := <-served:
		return err // accepting has failed for good
	case <-stopping.Done():
		stop() // a second signal ends the program at once
	}
	ending, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err := ln.Drain(ending, "restart") // nil: all handlers have returned
	return errors.Join(err, <-served)
}

// The documentation shows how the servers here stop.
func TestDocumentedStop(t *testing.T) {
	code := testkit.DocumentedCode(t, "../../doc.go", "Stopping a server")
	if strings.Count(code, "\n") < 10 || !strings.Contains(testkit.Unindented(t, "restart_test.go"), code) {
		t.Errorf("this is not in serveUntilSignal:\n%s", code)
	}
}

// answer answers each request, after up to 3 ms.
func answer(ctx context.Context, c *qsocket.Conn[string]) {
	for m, err := range c.All(ctx) {
		if err != nil {
			log.Print(err)
			return
		}
		time.Sleep(time.Duration(len(m)%4) * time.Millisecond)
		if err := c.Send(ctx, "re: "+m); err != nil {
			log.Print(err)
			return
		}
	}
}

// process is a server process.
type process struct {
	t       *testing.T
	command *exec.Cmd
	out     *bufio.Reader
	errs    strings.Builder
	address string
}

func startServer(t *testing.T) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, command: exec.Command(exe)}
	p.command.Env = append(os.Environ(), serverEnv+"=1")
	p.command.Stderr = &p.errs
	out, err := p.command.StdoutPipe()
	if err == nil {
		err = p.command.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.command.Process.Kill() })
	p.out = bufio.NewReader(out)
	line, err := p.out.ReadString('\n')
	if err != nil {
		t.Fatal(err, p.errs.String())
	}
	p.address = strings.TrimSpace(line)
	return p
}

// stop ends it by a signal and returns how many answers it has sent.
func (p *process) stop() int {
	p.t.Helper()
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	rest, _ := io.ReadAll(p.out)
	err := p.command.Wait()
	answers, ok := strings.CutPrefix(strings.TrimSpace(string(rest)), "drained ")
	n, convErr := strconv.Atoi(answers)
	if err != nil || !ok || convErr != nil || p.errs.Len() > 0 {
		p.t.Errorf("a server ended with %v: %q %s", err, rest, p.errs.String())
	}
	return n
}

// balancer passes connections on to the server that is the current one.
type balancer struct {
	net.Listener
	current atomic.Pointer[process]
	conns   sync.WaitGroup
}

func (b *balancer) run() {
	for {
		client, err := b.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", b.current.Load().address)
		if err != nil { // it has just stopped: what a balancer does that has not noticed
			_ = client.Close()
			continue
		}
		for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
			b.conns.Go(func() { // ends with the connection
				_, _ = io.Copy(way[0], way[1])
				_ = way[0].(*net.TCPConn).CloseWrite()
			})
		}
	}
}

// requester sends requests, several at a time, and looks between them whether its server goes away.
type requester struct {
	name              string
	address           string
	answers, restarts int
	settled           atomic.Int64 // the number of the latest connection that has had an answer
}

const together = 4 // requests under way

// run goes on until stop is closed. What it returns is what was lost.
func (r *requester) run(stop <-chan struct{}) error {
	for {
		conn, err := r.dial()
		if err != nil {
			return fmt.Errorf("%s is lost: %w", r.name, err)
		}
		err = r.use(conn, stop)
		if closeErr := conn.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			return fmt.Errorf("%s, behind %d answers: %w", r.name, r.answers, err)
		}
		select {
		case <-stop:
			return nil
		default:
			r.restarts++
		}
	}
}

func (r *requester) dial() (*qsocket.Conn[string], error) {
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Timeout)
	defer cancel()
	for {
		conn, err := qsocket.Dial(ctx, "tcp", r.address, testkit.Named, nil)
		var refused *qsocket.HandshakeError
		if err == nil || ctx.Err() != nil || errors.As(err, &refused) && refused.Final() {
			return conn, err
		}
		time.Sleep(time.Millisecond)
	}
}

// use makes requests over conn until its server goes away.
func (r *requester) use(conn *qsocket.Conn[string], stop <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Timeout)
	defer cancel()
	for {
		select {
		case <-conn.GoingAway():
			return nil
		case <-stop:
			return nil
		default:
		}
		first := r.answers
		for i := range together {
			if err := conn.Send(ctx, fmt.Sprint(r.name, " ", first+i)); err != nil {
				return err
			}
		}
		for i := range together {
			got, err := conn.Recv(ctx)
			if want := fmt.Sprint("re: ", r.name, " ", first+i); err != nil || got != want {
				return fmt.Errorf("got %q, %w, want %q", got, err, want)
			}
			r.answers++
		}
		r.settled.Store(int64(1 + r.restarts))
	}
}

// A rolling restart behind a balancer: with requests of 100 clients under way, servers are
// replaced, one after another. No client and no answer is lost, and no server has an error to report.
func TestRollingRestart(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	const clients, restarts = 100, 5
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &balancer{Listener: ln}
	server := startServer(t)
	b.current.Store(server)
	b.conns.Go(b.run) // ends with ln

	stop := make(chan struct{})
	var running sync.WaitGroup
	list := make([]*requester, clients)
	for i := range list {
		r := &requester{name: fmt.Sprint("client ", i), address: ln.Addr().String()}
		list[i] = r
		running.Go(func() { // ends when stop is closed
			if err := r.run(stop); err != nil {
				t.Error(err)
			}
		})
	}
	sent := 0
	settled := func(moves int) {
		time.Sleep(100 * time.Millisecond) // under load
		testkit.Eventually(t, "answers to all clients", func() bool {
			return !slices.ContainsFunc(list, func(r *requester) bool { return r.settled.Load() <= int64(moves) })
		})
	}
	for i := range restarts {
		settled(i)
		next := startServer(t)
		b.current.Store(next) // then the old one has no new clients, as soon as the balancer knows
		sent += server.stop()
		server = next
	}
	settled(restarts)
	close(stop)
	running.Wait()
	sent += server.stop()
	_ = ln.Close()
	b.conns.Wait()
	got, moves := 0, 0
	for _, r := range list {
		got += r.answers
		moves += r.restarts
	}
	if got != sent || got == 0 || moves < clients*restarts {
		t.Errorf("%d answers, %d of them received; %d moves to another server, want at least %d", sent, got, moves, clients*restarts)
	}
	t.Logf("%d answers, %d moves", got, moves)
}
