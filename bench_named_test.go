package qsocket_test

import (
	"testing"

	"github.com/fb9bb4ed/qsocket"
)

// What a name costs: the same workloads with and without one. The hello is over
// before the first message, and heartbeats are none of a message's business, so
// the two should be alike.
func BenchmarkNamed(b *testing.B) {
	payload := make([]byte, 100)
	for _, w := range []struct {
		name string
		work benchWork
	}{{"oneway", benchOneWay}, {"pingpong", benchPingPong}} {
		for _, mode := range []string{"pull", "channel"} {
			for _, name := range []string{"", "bench/1"} {
				b.Run("work="+w.name+"/mode="+mode+"/name="+name, func(b *testing.B) {
					p := qsocket.Protocol[[]byte]{Name: name, Codec: benchNone{payload}}
					near, far := benchConns(b, "tcp", p)
					runBenchWork(b, w.work, newBenchEnd(near, mode, payload), newBenchEnd(far, mode, payload))
				})
			}
		}
	}
}

// BenchmarkHello is dialling, the handshake and the end of a connection.
func BenchmarkHello(b *testing.B) {
	for _, name := range []string{"", "bench/1"} {
		b.Run("name="+name, func(b *testing.B) {
			p := qsocket.Protocol[[]byte]{Name: name, Codec: benchNone{}}
			ln := benchListen(b, "tcp", p)
			for b.Loop() {
				client, server := benchDial(b, ln, p)
				client.Close()
				server.Close()
			}
		})
	}
}
