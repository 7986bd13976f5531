package transports_test

import (
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// network is what a transport runs over: loopback or memory, and between its ends a
// proxy if the case is to stop it.
type network struct {
	proxy   *qsockettest.Proxy // nil: there is none
	stopped atomic.Bool        // for datagrams, which do not go through the proxy
}

func newNetwork(t testing.TB, stoppable bool) *network {
	n := new(network)
	if stoppable {
		n.proxy = qsockettest.NewProxy(1, qsockettest.Faults{}, qsockettest.Faults{})
		t.Cleanup(n.proxy.Close)
	}
	return n
}

// stop lets nothing through any longer, and closes nothing.
func (n *network) stop() {
	stall := qsockettest.Faults{Stall: true}
	n.stopped.Store(true)
	n.proxy.Set(stall, stall)
}

// resume lets through what has been kept, so that what waits for it can end.
func (n *network) resume() {
	n.stopped.Store(false)
	n.proxy.Set(qsockettest.Faults{}, qsockettest.Faults{})
}

// to returns the address at which what listens on addr, over TCP, is reached.
func (n *network) to(t testing.TB, addr string) string {
	t.Helper()
	if n.proxy == nil {
		return addr
	}
	via, err := n.proxy.Listen(addr)
	if err != nil {
		t.Fatal(err)
	}
	return via
}

// between returns the outer ends of two connections that the proxy connects.
func (n *network) between(pair func() (a, b net.Conn)) (a, b net.Conn) {
	a, b = pair()
	if n.proxy == nil {
		return a, b
	}
	c, d := pair()
	n.proxy.Between(b, c)
	return a, d
}

// tcp returns the two ends of a TCP connection.
func (n *network) tcp(t testing.TB) (a, b net.Conn) {
	t.Helper()
	a, b = n.between(func() (net.Conn, net.Conn) { return testkit.Dialed(t, "tcp", "127.0.0.1:0") })
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	return a, b
}

func (n *network) unix(t testing.TB) (a, b net.Conn) {
	t.Helper()
	a, b = n.between(func() (net.Conn, net.Conn) {
		return testkit.Dialed(t, "unix", filepath.Join(testkit.ShortTempDir(t), "s"))
	})
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	return a, b
}

func (n *network) memory(t testing.TB) (a, b net.Conn) {
	t.Helper()
	a, b = n.between(net.Pipe)
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	return a, b
}
