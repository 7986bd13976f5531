// Command prometheus is a server whose counters Prometheus can scrape: those of
// the Listener, handshakes refused by cause, and the sums over its Conns.
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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *listen, *metrics); err != nil {
		log.Fatal(err)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, listen, metrics string) error {
	ln, err := qsocket.Listen("tcp", listen, Echo, nil)
	if err != nil {
		return err
	}
	collector := NewCollector(ln)
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector)
	server := &http.Server{Addr: metrics, Handler: promhttp.HandlerFor(registry, promhttp.HandlerOpts{})}
	scraped := make(chan error, 1)
	go func() { scraped <- server.ListenAndServe() }() // ends with Close
	log.Println("serving", ln.Addr(), "with metrics on", metrics)

	err = ln.Serve(ctx, func(ctx context.Context, conn *qsocket.Conn[string]) {
		defer collector.Watch(conn)()
		for m := range conn.Messages() {
			if err := conn.Send(ctx, m); err != nil {
				return
			}
		}
	})
	server.Close()
	if e := <-scraped; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}
