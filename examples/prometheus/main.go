// Command prometheus is a server whose counters Prometheus can scrape: those of
// the Listener, handshakes refused by cause, and the sums over its Conns, those that have ended included.
//
//	go run . -listen 127.0.0.1:7070 -metrics 127.0.0.1:9090
//	curl http://127.0.0.1:9090/metrics
//
// Collector, in collector.go, is the part to take over.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Echo is what the server speaks.
var Echo = qsocket.Protocol[string]{Name: "echo/1"}

func main() {
	listen := flag.String("listen", "127.0.0.1:7070", "`address` of the server")
	metrics := flag.String("metrics", "127.0.0.1:9090", "`address` of the metrics")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal is not caught
	if err := run(ctx, *listen, *metrics); err != nil {
		log.Fatal(err)
	}
}

// run serves until ctx ends, and lets the clients finish. It can be scraped until they have.
func run(ctx context.Context, listen, metrics string) error {
	ln, err := qsocket.Listen("tcp", listen, Echo, nil)
	if err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(NewCollector(ln))
	server := &http.Server{Addr: metrics, Handler: promhttp.HandlerFor(registry, promhttp.HandlerOpts{})}
	scraped := make(chan error, 1)
	go func() { scraped <- server.ListenAndServe() }() // ends with Close
	served := make(chan error, 1)
	go func() { served <- ln.Serve(context.WithoutCancel(ctx), echo) }() // ends after Drain
	log.Println("serving", ln.Addr(), "with metrics on", metrics)
	select {
	case err = <-served: // accepting has failed for good
	case <-ctx.Done():
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		err = errors.Join(ln.Drain(ending, "the server stops"), <-served)
	}
	server.Close()
	if e := <-scraped; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}

func echo(ctx context.Context, conn *qsocket.Conn[string]) {
	for m := range conn.Messages() {
		if err := conn.Send(ctx, m); err != nil {
			return
		}
	}
}
