package session

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

var herd = flag.Int("session.herd", 500, "how many sessions TestSessionHerd has, each a socket in both processes")

// outage is a net.Listener over TCP whose network can be taken away: connections break, and clients are refused until
// it is back, at the same address.
type outage struct {
	mu    sync.Mutex
	addr  net.Addr
	ln    net.Listener // nil while it is away
	back  chan struct{}
	conns []net.Conn
	over  bool
}

func newOutage() (*outage, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &outage{addr: ln.Addr(), ln: ln}, nil
}

func (o *outage) Addr() net.Addr { return o.addr }

func (o *outage) Accept() (net.Conn, error) {
	for {
		o.mu.Lock()
		ln, back, over := o.ln, o.back, o.over
		o.mu.Unlock()
		if over {
			return nil, net.ErrClosed
		}
		if ln == nil {
			<-back
			continue
		}
		nc, err := ln.Accept()
		if err != nil {
			continue // it is away
		}
		o.mu.Lock()
		o.conns = append(o.conns, nc)
		o.mu.Unlock()
		return nc, nil
	}
}

// away breaks all connections, and refuses new ones.
func (o *outage) away() {
	o.mu.Lock()
	defer o.mu.Unlock()
	_ = o.ln.Close()
	o.ln, o.back = nil, make(chan struct{})
	for _, nc := range o.conns {
		_ = nc.(*net.TCPConn).SetLinger(0)
		_ = nc.Close()
	}
	o.conns = nil
}

func (o *outage) again() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	ln, err := net.Listen("tcp", o.addr.String())
	if err == nil {
		o.ln = ln
		close(o.back)
	}
	return err
}

func (o *outage) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.over = true
	if o.ln == nil {
		close(o.back)
		return nil
	}
	return o.ln.Close()
}

const herdAddress = "QSOCKET_TEST_HERD_ADDRESS"

// A server that was out of reach for a second has all its sessions back soon, and every message that was sent meanwhile;
// clients that come back at once are not more than it can take, and cost memory for what they send only. The clients are
// another process. docs/reliability.md has what -session.herd=10000 has measured.
func TestSessionHerd(t *testing.T) {
	if addr := os.Getenv(herdAddress); addr != "" {
		herdOfClients(t, addr)
		return
	}
	o, err := newOutage()
	if err != nil {
		t.Fatal(err)
	}
	ln, err := qsocket.NewListener(net.Listener(o), protocol, &qsocket.Options{MaxSessions: *herd})
	if err != nil {
		t.Fatal(err)
	}
	var received atomic.Int64
	served := testkit.Async(func() error {
		return ln.ServeSessions(context.Background(), func(ctx context.Context, s *qsocket.Session[int]) {
			for v := range s.Messages() {
				received.Add(1)
				if err := s.Send(ctx, v); err != nil {
					t.Error(err)
				}
			}
		})
	})
	cmd := exec.Command(os.Args[0], "-test.run=^TestSessionHerd$", "-test.timeout=5m", "-session.herd="+strconv.Itoa(*herd))
	cmd.Env = append(os.Environ(), herdAddress+"="+o.Addr().String())
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	lines := bufio.NewScanner(out)
	hear := func(want string) []string {
		for lines.Scan() {
			if f := strings.Fields(lines.Text()); len(f) > 0 && f[0] == want {
				return f[1:]
			} else if len(f) > 0 && f[0] == "failed" {
				break
			}
		}
		t.Fatalf("the clients do not say %q, but %q", want, lines.Text())
		return nil
	}
	hear("open")
	before := testkit.ProcStatus("VmRSS")
	o.away()
	fmt.Fprintln(in, "send") // while there is no connection
	hear("sent")
	if err := o.again(); err != nil {
		t.Fatal(err)
	}
	again := time.Now()
	told := hear("answered")
	took := time.Since(again)
	if got := received.Load(); got != int64(*herd) {
		t.Errorf("%d messages were received, want %d", got, *herd)
	}
	t.Logf("%d sessions were back, and had their answers, %v after the server was; server: %d KiB before, at most %d; clients: %s KiB before, at most %s",
		*herd, took.Round(time.Millisecond), before>>10, testkit.ProcStatus("VmHWM")>>10, told[0], told[1])
	fmt.Fprintln(in, "close")
	hear("closed")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := ln.Drain(ctx, ""); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	if got := ln.Totals(); got.Resumes != uint64(*herd) {
		t.Errorf("%d resumes, want %d", got.Resumes, *herd)
	}
}

// herdOfClients is the process of the clients. It does what its input says, line by line.
func herdOfClients(t *testing.T, addr string) {
	in := bufio.NewScanner(os.Stdin)
	sessions := make([]*qsocket.Session[int], *herd)
	if err := each(sessions, func(i int) (err error) {
		sessions[i], err = qsocket.DialSession(t.Context(), "tcp", addr, protocol, &qsocket.Options{
			HandshakeTimeout: time.Minute,
			Backoff:          func(int) time.Duration { return rand.N(time.Second) }, // all come at once, not over the 15 s of the default
		})
		return err
	}); err != nil {
		fmt.Println("failed", err)
		return
	}
	before := testkit.ProcStatus("VmRSS") >> 10
	fmt.Println("open")
	for in.Scan() {
		switch in.Text() {
		case "send":
			err := each(sessions, func(i int) error {
				for sessions[i].NetConn() != nil { // until it has found out
					time.Sleep(time.Millisecond)
				}
				return sessions[i].Send(t.Context(), i)
			})
			time.Sleep(time.Second) // the length of the outage
			fmt.Println("sent")
			if err == nil {
				err = each(sessions, func(i int) error {
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					if v, err := sessions[i].Recv(ctx); err != nil || v != i {
						return fmt.Errorf("session %d has received %d, %w", i, v, err)
					}
					return nil
				})
			}
			if err != nil {
				fmt.Println("failed", err)
				return
			}
			fmt.Println("answered", before, testkit.ProcStatus("VmHWM")>>10)
		case "close":
			if err := each(sessions, func(i int) error { return sessions[i].Close() }); err != nil {
				fmt.Println("failed", err)
			}
			fmt.Println("closed")
			return
		}
	}
}

// each calls f for each session, all at the same time, and joins the errors.
func each(sessions []*qsocket.Session[int], f func(i int) error) error {
	errs := make([]error, len(sessions))
	var work sync.WaitGroup
	for i := range sessions {
		work.Go(func() { errs[i] = f(i) })
	}
	work.Wait()
	return errors.Join(errs...)
}
