package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// What is scraped after three messages there and back, and a refused client.
func TestCollector(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	ln, err := qsocket.Listen("tcp", "127.0.0.1:0", Echo, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c := NewCollector(ln)
	client, err := qsocket.Dial(ctx, "tcp", ln.Addr().String(), Echo, nil)
	if err != nil {
		t.Fatal(err)
	}
	server, err := ln.Accept(ctx)
	if err != nil {
		t.Fatal(err)
	}
	end := c.Watch(server)
	for range 3 {
		for _, way := range [][2]*qsocket.Conn[string]{{client, server}, {server, client}} {
			if err := way[0].Send(ctx, "hello"); err != nil {
				t.Fatal(err)
			}
			if _, err := way[1].Recv(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := qsocket.Dial(ctx, "tcp", ln.Addr().String(), qsocket.Protocol[string]{Name: "echo/2"}, nil); err == nil {
		t.Fatal("another protocol was accepted")
	}
	for range time.Tick(time.Millisecond) {
		if ln.Stats().Refused == 1 { // the server may take a moment longer than the client
			break
		}
		if ctx.Err() != nil {
			t.Fatal("the server has not counted the refusal")
		}
	}
	want := `
# HELP qsocket_bytes_total Bytes of frames, by direction.
# TYPE qsocket_bytes_total counter
qsocket_bytes_total{direction="received"} 30
qsocket_bytes_total{direction="sent"} 30
# HELP qsocket_messages_total Messages, by direction.
# TYPE qsocket_messages_total counter
qsocket_messages_total{direction="received"} 3
qsocket_messages_total{direction="sent"} 3
# HELP qsocket_refused_total Handshakes failed, by cause.
# TYPE qsocket_refused_total counter
qsocket_refused_total{cause="proto"} 1
# HELP qsocket_connections_open Connections that have not ended.
# TYPE qsocket_connections_open gauge
qsocket_connections_open 1
`
	names := []string{"qsocket_bytes_total", "qsocket_messages_total", "qsocket_refused_total", "qsocket_connections_open"}
	if err := testutil.CollectAndCompare(c, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
	if problems, err := testutil.CollectAndLint(c); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v %v", problems, err)
	}

	// The sums do not shrink when a Conn ends.
	client.Close()
	<-server.Done()
	server.Close()
	end()
	if err := testutil.CollectAndCompare(c, strings.NewReader(strings.ReplaceAll(want, "open 1", "open 0")), names...); err != nil {
		t.Error(err)
	}
}
