package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// programEnv makes the test binary behave as the program, so that the tests of
// several processes need no build and are checked for races with the others.
const programEnv = "ORDERS_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(programEnv) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestRun(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), nil, &stdout, &stderr); code != 0 {
		t.Errorf("got exit code %d, want 0", code)
	}
	t.Logf("stderr:\n%s\nstdout:\n%s", &stderr, &stdout)
	for _, want := range []string{
		"orders.csv 12,000 orders, 16 skipped as wrong\n",
		"answered   12,000 of 12,000 orders exactly once, 0 missing, 0 duplicate\n",
		"verified   ok\n",
	} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("stdout lacks %q", want)
		}
	}
	if got, want := strings.Count(stderr.String(), "orders.csv: skipped 16 wrong rows, the first is line "), 1; got != want {
		t.Errorf("got %d lines about the wrong rows, want %d", got, want)
	}
}

func TestRunWithOtherFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "two.csv")
	content := header + "\n1,1,CORN,buy,10,2.00\n2,2,CORN,sell,15,1.90\n3,3,CORN,wait,1,1.00\n"
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"-orders", name}, &stdout, &stderr); code != 0 {
		t.Errorf("got exit code %d, want 0\n%s", code, &stdout)
	}
	if got, want := stdout.String(), "two.csv    2 orders, 1 skipped as wrong\n"; !strings.HasPrefix(got, want) {
		t.Errorf("got %q, want %q first", got, want)
	}
	if got, want := stderr.String(), "two.csv: skipped 1 wrong rows, the first is line 4: side \"wait\", want buy or sell\n"; !strings.HasPrefix(got, want) {
		t.Errorf("got %q, want %q first", got, want)
	}
}

func TestRunRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		want int
	}{
		{"both modes", []string{"-listen", "127.0.0.1:0", "-dial", "127.0.0.1:1"}, 2},
		{"negative rate", []string{"-rate", "-1"}, 2},
		{"argument", []string{"orders.csv"}, 2},
		{"unknown flag", []string{"-fast"}, 2},
		{"no such file", []string{"-orders", filepath.Join(t.TempDir(), "none.csv")}, 1},
		{"not a port", []string{"-listen", "127.0.0.1:port"}, 1},
		{"negative wait", []string{"-wait", "-1s"}, 2},
		{"no gateway", []string{"-dial", "127.0.0.1:port", "-wait", "0s"}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if got := run(t.Context(), tt.args, &stdout, &stderr); got != tt.want {
				t.Errorf("got exit code %d, want %d", got, tt.want)
			}
			if stderr.Len()+stdout.Len() == 0 {
				t.Error("got no output, want a reason")
			}
		})
	}
}

// process is the program running as a process of its own.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdout bytes.Buffer
	stderr *bufio.Reader
}

// start starts the program. It is killed at the end of the test if it still
// runs, and after a minute at the latest.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	p := &process{t: t, cmd: exec.CommandContext(ctx, os.Args[0], args...)}
	p.cmd.Env = append(os.Environ(), programEnv+"=1")
	p.cmd.Stdout = &p.stdout
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stderr = bufio.NewReader(stderr)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		p.cmd.Wait()
	})
	return p
}

// waitFor reads the log up to a line with text and returns what follows it there.
func (p *process) waitFor(text string) string {
	p.t.Helper()
	for {
		line, err := p.stderr.ReadString('\n')
		if _, rest, found := strings.Cut(line, text); found {
			return strings.TrimSpace(rest)
		}
		if err != nil {
			p.t.Fatalf("log ends before %q: %v", text, err)
		}
	}
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// verified waits for the end and wants exit code 0 and a verified summary.
func (p *process) verified() (summary string) {
	p.t.Helper()
	log, _ := io.ReadAll(p.stderr) // to its end, as Wait closes the pipe
	err := p.cmd.Wait()
	summary = p.stdout.String()
	if err != nil || !strings.Contains(summary, "verified   ok\n") {
		p.t.Errorf("%q: %v, want exit code 0 and a verified summary\n%s\n%s", p.cmd.Args[1:], err, log, summary)
	}
	return summary
}

// startBoth starts a gateway and clients that trade with it.
func startBoth(t *testing.T, rate string) (gateway, clients *process) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot send an interrupt to another")
	}
	gateway = start(t, "-listen", "127.0.0.1:0")
	address := gateway.waitFor("gateway listens on ")
	clients = start(t, "-dial", address, "-rate", rate)
	for range 3 {
		clients.waitFor("trades with") // each of them, so all are in the middle of it
	}
	return gateway, clients
}

func TestTwoProcesses(t *testing.T) {
	gateway, clients := startBoth(t, "0")
	summary := clients.verified()
	if want := "answered   12,000 of 12,000 orders"; !strings.Contains(summary, want) {
		t.Errorf("clients: want %q\n%s", want, summary)
	}
	// The first clients have left nothing behind that keeps others from trading.
	again := start(t, "-dial", clients.cmd.Args[2])
	again.verified()

	gateway.signal(os.Interrupt)
	summary = gateway.verified()
	if want := "for 6 clients\n"; !strings.Contains(summary, want) {
		t.Errorf("gateway: want %q\n%s", want, summary)
	}
}

func TestInterruptClients(t *testing.T) {
	gateway, clients := startBoth(t, "200")
	clients.signal(os.Interrupt)
	if summary, want := clients.verified(), "not sent before the end\n"; !strings.Contains(summary, want) {
		t.Errorf("clients: want %q\n%s", want, summary)
	}
	gateway.signal(os.Interrupt)
	gateway.verified()
}

func TestInterruptGateway(t *testing.T) {
	gateway, clients := startBoth(t, "200")
	gateway.signal(os.Interrupt)
	if summary, want := clients.verified(), "not sent before the end\n"; !strings.Contains(summary, want) {
		t.Errorf("clients: want %q\n%s", want, summary)
	}
	gateway.verified()
}

// At full speed there is much between the two when the signal comes, and the
// clients may or may not have sent all they have.
func TestInterruptGatewayAtFullSpeed(t *testing.T) {
	gateway, clients := startBoth(t, "0")
	gateway.signal(syscall.SIGTERM)
	clients.verified()
	gateway.verified()
}

// As Ctrl-C in a terminal does with processes of one job.
func TestInterruptBothProcesses(t *testing.T) {
	gateway, clients := startBoth(t, "200")
	gateway.signal(os.Interrupt)
	clients.signal(os.Interrupt)
	clients.verified()
	gateway.verified()
}

func TestInterruptSingleProcess(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot send an interrupt to another")
	}
	p := start(t, "-rate", "200")
	p.waitFor("trades with")
	p.signal(syscall.SIGTERM)
	if summary, want := p.verified(), "not sent before the end\n"; !strings.Contains(summary, want) {
		t.Errorf("want %q\n%s", want, summary)
	}
}
