package model

import (
	"flag"
	"net"
	"sync"
	"testing"

	"github.com/fb9bb4ed/qsocket/qsockettest"
	"pgregory.net/rapid"
)

var overTCP = flag.Int("model.tcp", 8, "how many programs to run over TCP, in real time")

// TestModelOverTCP runs programs over the kernel's sockets, where reads and
// writes take other paths than in memory. What is about moments is not checked.
func TestModelOverTCP(t *testing.T) {
	seed := rapid.IntRange(0, 1<<30).Example() // a new one each time; what fails is printed as a whole
	var running sync.WaitGroup
	slots := make(chan struct{}, 16) // they mostly wait
	for i := range *overTCP {
		slots <- struct{}{}
		running.Go(func() { // ends with the program, which is given up at the latest
			defer func() { <-slots }()
			p := programs.Example(seed + i)
			h, err := runOverTCP(&p)
			if err != nil {
				t.Error(err)
				return
			}
			if failures := h.judge(); len(failures) > 0 {
				t.Errorf("%vexample %d: %v%v", joined(failures), seed+i, &p, h)
			}
		})
	}
	running.Wait()
}

// runOverTCP runs the program in real time over loopback, through the proxy.
func runOverTCP(p *program) (*history, error) {
	proxy := qsockettest.NewProxy(p.Weather.Seed, p.Weather.Up, p.Weather.Down)
	defer proxy.Close()
	a, aFar, err := loopback()
	if err != nil {
		return nil, err
	}
	b, bFar, err := loopback()
	if err != nil {
		a.Close()
		aFar.Close()
		return nil, err
	}
	proxy.Between(aFar, bFar)
	r := newRun(p, proxy, sabotage{})
	r.run([2]net.Conn{a, b})
	return r.history, nil
}

// loopback returns the ends of a TCP connection.
func loopback() (near, far net.Conn, err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer ln.Close()
	near, err = net.Dial("tcp", ln.Addr().String())
	if err != nil {
		return nil, nil, err
	}
	if far, err = ln.Accept(); err != nil {
		near.Close()
		return nil, nil, err
	}
	return near, far, nil
}
