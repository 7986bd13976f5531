package main

import "github.com/fb9bb4ed/qsocket/bench/peers"

// limits are the bounds of a goal, by how messages are received.
type limits struct{ channel, pull float64 }

func (l limits) by(mode string) float64 {
	if mode == "channel" {
		return l.channel
	}
	return l.pull
}

// A race compares the medians of qsocket with one codec to those of the best of
// others, over the same transport.
type race struct {
	workload string
	codec    string // of qsocket
	over     peers.Transport
	against  []string
	name     string // of those
	limits   limits
	time     bool // compares times, of which less is better; otherwise throughputs
}

const (
	byHandMsgpack = "by hand, batched/msgpack"
	byHandGob     = "by hand, batched/gob"
	grpcStream    = "grpc-go stream/msgpack"
	gorilla       = "gorilla/websocket/msgpack"
	natsBroker    = "nats/msgpack"
	rawBatched    = "raw batched/none"
	rawSingle     = "raw/none"
)

var websockets = []string{gorilla, "coder/websocket/msgpack"}

var races = []race{
	{workload: "W1", codec: "none", against: []string{rawBatched}, limits: limits{0.55, 0.90}},
	{workload: "W1", codec: "msgpack", against: []string{grpcStream}, limits: limits{4.5, 6.5}},
	{workload: "W1", codec: "msgpack", against: []string{natsBroker}, limits: limits{3.3, 4.7}},
	{workload: "W1", codec: "msgpack", against: websockets, name: "best websocket", limits: limits{9, 13}},
	{workload: "W1", codec: "msgpack", against: []string{byHandMsgpack}, limits: limits{2, 3}},
	{workload: "W2", codec: "msgpack", against: []string{grpcStream}, limits: limits{5, 7}},
	{workload: "W3", codec: "none", against: []string{rawSingle}, limits: limits{1.6, 1.08}, time: true},
	{workload: "W3", codec: "msgpack", against: []string{grpcStream}, limits: limits{1.5, 2.3}},
	{workload: "W3", codec: "msgpack", against: []string{gorilla}, limits: limits{0.9, 1.3}},
	{workload: "W4", codec: "msgpack", against: []string{grpcStream}, limits: limits{6, 6}},
	{workload: "W4", codec: "msgpack", against: []string{byHandGob}, limits: limits{2.5, 2.7}},
	{workload: "W5", codec: "msgpack", against: []string{grpcStream}, limits: limits{6, 6}},
	{workload: "W5", codec: "msgpack", against: []string{natsBroker}, limits: limits{2.5, 2.5}},
	{workload: "W5", codec: "msgpack", against: websockets, name: "best websocket", limits: limits{14, 14}},
	{workload: "W6", codec: "none", against: []string{rawSingle}, limits: limits{1.3, 1.15}, time: true},
	{workload: "64K", codec: "none", against: []string{rawBatched}, limits: limits{0.45, 0.45}},
	{workload: "1M", codec: "none", against: []string{rawBatched}, limits: limits{0.40, 0.40}},
	{workload: "W1", codec: "gob", against: []string{byHandGob}, limits: limits{0.8, 1.0}},

	{workload: "W3", codec: "none", over: peers.TLS, against: []string{rawSingle}, limits: limits{1.8, 1.2}, time: true},
	{workload: "W3", codec: "msgpack", over: peers.TLS, against: []string{gorilla}, limits: limits{0.9, 1.15}},
	{workload: "W3", codec: "msgpack", over: peers.TLS, against: []string{grpcStream}, limits: limits{1.5, 2.0}},
	{workload: "W6", codec: "none", over: peers.TLS, against: []string{rawSingle}, limits: limits{1.4, 1.2}, time: true},
	{workload: "W1", codec: "none", over: peers.TLS, against: []string{rawBatched}, limits: limits{0.5, 0.9}},
	{workload: "W2", codec: "none", over: peers.TLS, against: []string{rawBatched}, limits: limits{0.5, 0.9}},
	{workload: "W5", codec: "none", over: peers.TLS, against: []string{rawBatched}, limits: limits{0.5, 0.9}},
	{workload: "W3", codec: "none", over: peers.Wrapper, against: []string{rawSingle}, limits: limits{2.0, 1.4}, time: true},

	{workload: "load=20000", codec: "msgpack", against: []string{grpcStream, gorilla, natsBroker}, name: "best of gRPC, gorilla and NATS", limits: limits{1.0, 0.7}, time: true},
	{workload: "load=100000", codec: "msgpack", against: []string{grpcStream, gorilla, natsBroker}, name: "best of gRPC, gorilla and NATS", limits: limits{1.0, 0.7}, time: true},
}
