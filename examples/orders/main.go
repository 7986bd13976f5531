// Command orders is an order gateway and three clients that talk over TCP.
//
// The clients stream the orders of a CSV file to the gateway. The gateway
// answers each of them exactly once, matches them, sends the fills to both
// parties of a trade and the price to everyone, all of that at times of its own
// choosing. At the end both sides check what came against what went.
//
//	go run ./examples/orders                          # both, over loopback
//	go run ./examples/orders -listen 127.0.0.1:7070   # the gateway; Ctrl-C ends it
//	go run ./examples/orders -dial 127.0.0.1:7070     # the clients
//
// Ctrl-C (or SIGTERM) drains: no more orders are sent, those that were are
// answered, and the summary is printed. A second one ends the program at once.
// The exit code is 1 if anything is not as it should be. For its part of the
// check, quantity bought against quantity sold, -dial wants the gateway to itself.
//
// What is where: the protocol in package market, and what later versions of it
// may look like in market/next and market/v2; the gateway in gateway.go, one
// client of it in session.go, its market in match.go and book.go; the client in
// client.go, what it checks in ledger.go.
package main

import (
	"bytes"
	"context"
	_ "embed"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

//go:generate go run ./gen -o orders.csv

//go:embed orders.csv
var shipped []byte

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second signal is not caught
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program. It returns the exit code: 0 for a verified run, 1 for
// another, 2 for arguments it does not understand.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("orders", flag.ContinueOnError)
	flags.SetOutput(stderr)
	listen := flags.String("listen", "", "run only the gateway, on this `address`")
	dial := flags.String("dial", "", "run only the clients, with the gateway at this `address`")
	wait := flags.Duration("wait", 10*time.Second, "with -dial: how long to look for a gateway")
	name := flags.String("orders", "", "CSV `file` with the orders (default: the one in the program)")
	rate := flags.Int("rate", 0, "orders per second of each client, 0 for no limit")
	if err := flags.Parse(args); err != nil {
		if err == flag.ErrHelp {
			return 0
		}
		return 2
	}
	if flags.NArg() > 0 || *listen != "" && *dial != "" || *rate < 0 || *wait < 0 {
		fmt.Fprintln(stderr, "want at most one of -listen and -dial, a -rate and a -wait that are not negative, no other arguments")
		return 2
	}

	// The gateway logs from several goroutines, and so do the clients.
	log := &lockedWriter{w: stderr}
	var s summary
	var err error
	if *listen == "" {
		if s.name, s.file, err = openOrders(*name, log); err != nil {
			fmt.Fprintln(log, err)
			return 1
		}
	}
	switch {
	case *listen != "":
		s.gateway, err = runGateway(ctx, *listen, log)
	case *dial != "":
		s.clients = runClients(ctx, *dial, s.file, *rate, *wait, log)
	default:
		err = runBoth(ctx, &s, *rate, log)
	}
	if err != nil {
		fmt.Fprintln(log, err)
		return 1
	}
	if !s.print(stdout) {
		return 1
	}
	return 0
}

// openOrders reads the named file, or the shipped one, and logs how many rows are wrong.
func openOrders(name string, log io.Writer) (string, *orderFile, error) {
	content := shipped
	if name != "" {
		var err error
		if content, err = os.ReadFile(name); err != nil {
			return "", nil, err
		}
	} else {
		name = "orders.csv"
	}
	name = filepath.Base(name)
	file, err := readOrders(bytes.NewReader(content))
	if err != nil {
		return "", nil, fmt.Errorf("%s: %w", name, err)
	}
	if n := len(file.skipped); n > 0 {
		fmt.Fprintf(log, "%s: skipped %d wrong rows, the first is %v\n", name, n, file.skipped[0])
	}
	return name, file, nil
}

// runGateway serves until ctx ends.
func runGateway(ctx context.Context, address string, log io.Writer) (*gatewayReport, error) {
	g, err := newGateway(address, log)
	if err != nil {
		return nil, err
	}
	report, err := g.run(ctx)
	return &report, err
}

// runClients runs all clients of file and returns when the last has ended.
func runClients(ctx context.Context, address string, file *orderFile, rate int, patience time.Duration, log io.Writer) *clientReport {
	var (
		began   = time.Now()
		ledgers [clients]*ledger
		errs    [clients]error
		wg      sync.WaitGroup
	)
	for i, orders := range file.orders {
		wg.Go(func() {
			c := client{number: i + 1, orders: orders, rate: rate, patience: patience, log: log}
			ledgers[i], errs[i] = c.run(ctx, address)
		})
	}
	wg.Wait()
	report := &clientReport{elapsed: time.Since(began)}
	for i, l := range ledgers {
		report.add(l, errs[i])
	}
	return report
}

// runBoth runs a gateway on a port of the system's choice and its clients. A
// signal goes to the clients; the gateway ends after them.
func runBoth(ctx context.Context, s *summary, rate int, log io.Writer) error {
	g, err := newGateway("127.0.0.1:0", log)
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var report gatewayReport
	served := make(chan struct{})
	go func() { // ends after stop
		defer close(served)
		report, err = g.run(serving)
	}()
	s.clients = runClients(ctx, g.ln.Addr().String(), s.file, rate, 0, log)
	stop()
	<-served
	s.gateway = &report
	return err
}

// lockedWriter lets one goroutine write at a time.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
