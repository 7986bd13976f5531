package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/fb9bb4ed/qsocket/bench/peers"
)

// A party is what one side of the connections does: the one that listens or the
// one that dials. It lives in this process or in a child, and is told what to do
// by requests, one at a time.
type party struct {
	contestant peers.Contestant
	message    peers.Message
	running    chan response // takes the outcome of what was started
	started    string        // what that is

	mu     sync.Mutex   // guards following, against a close that does not wait
	server peers.Server // nil on the side that dials
	ends   []peers.End
}

// A request tells a party what to do.
type request struct {
	Op         string        // "listen", "dial", "accept", "start", "wait", "settle", "usage" or "close"
	Contestant string        `json:",omitempty"` // listen, dial
	Message    peers.Message // listen, dial
	Addr       string        `json:",omitempty"` // dial
	Conns      int           `json:",omitempty"` // dial, accept
	Task       task          // start
}

// A response is its outcome.
type response struct {
	Error string `json:",omitempty"`
	Addr  string `json:",omitempty"` // listen
	report
	usage
}

// A usage is what a process holds.
type usage struct {
	Bytes      uint64 // heap and stacks
	Goroutines int
}

// A side is a party, wherever it lives.
type side interface {
	do(r request, limit time.Duration) response
}

// do carries out r. Whatever does not return within limit is left behind, and
// an error reported: a contestant that hangs must not stop the others.
func (p *party) do(r request, limit time.Duration) response {
	if r.Op == "wait" {
		return p.wait(limit)
	}
	out := make(chan response, 1)
	go func() { out <- p.try(r, limit) }() // ends when the contestant lets it
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	select {
	case resp := <-out:
		return resp
	case <-timeout.C:
		return response{Error: fmt.Sprintf("%s: not done after %v", r.Op, limit)}
	}
}

// try is do without the limit, which it only passes on.
func (p *party) try(r request, limit time.Duration) (resp response) {
	var err error
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
		if err != nil {
			resp.Error = fmt.Sprintf("%s: %v", r.Op, err)
		}
	}()
	switch r.Op {
	case "listen":
		if err = p.choose(r); err == nil {
			resp.Addr, err = p.listen()
		}
	case "dial":
		if err = p.choose(r); err == nil {
			p.start(r.Op, func() response { return p.dial(r.Addr, r.Conns, limit) })
		}
	case "accept":
		p.start(r.Op, func() response { return p.accept(r.Conns) })
	case "start":
		p.start(string(r.Task.Role), func() response { return p.perform(r.Task) })
	case "settle":
		runtime.GC()
	case "usage":
		resp.usage = measureUsage()
	case "close":
		p.close()
	default:
		err = errors.New("unknown request")
	}
	return resp
}

func (p *party) choose(r request) error {
	for _, c := range peers.All() {
		if c.String() == r.Contestant {
			p.contestant, p.message = c, r.Message
			return nil
		}
	}
	return fmt.Errorf("no contestant is called %q", r.Contestant)
}

// start runs f in the background; wait returns its response.
func (p *party) start(what string, f func() response) {
	running := make(chan response, 1)
	p.running, p.started = running, what
	go func() { // ends with f, which ends at the latest when wait has closed its connections, unless the contestant hangs
		defer func() {
			if v := recover(); v != nil {
				running <- response{Error: fmt.Sprintf("panic: %v", v)}
			}
		}()
		running <- f()
	}()
}

// wait waits for what was started. What is not done within limit loses its
// connections, and then gets a little longer to say what it was waiting for.
func (p *party) wait(limit time.Duration) response {
	if p.running == nil {
		return response{Error: "wait: nothing was started"}
	}
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	select {
	case resp := <-p.running:
		p.running = nil
		return resp
	case <-timeout.C:
	}
	resp := response{Error: fmt.Sprintf("%s: not done after %v", p.started, limit)}
	go p.close() // ends when the contestant lets it
	select {
	case late := <-p.running:
		if late.Error != "" {
			resp.Error += ": " + late.Error
		}
	case <-time.After(time.Second):
	}
	p.running = nil
	return resp
}

func (p *party) listen() (addr string, err error) {
	server, err := p.contestant.Listen(p.message)
	if err != nil {
		return "", err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.server = server
	return server.Addr(), nil
}

func (p *party) accept(conns int) (resp response) {
	server, _ := p.all()
	if p.contestant.Calls || server == nil {
		return resp
	}
	for i := range conns {
		end, err := server.Accept()
		if err != nil {
			return response{Error: fmt.Sprintf("accept connection %d of %d: %v", i+1, conns, err)}
		}
		p.add(end)
	}
	return resp
}

// dial makes a few connections at a time: thousands of them take long enough.
func (p *party) dial(addr string, conns int, limit time.Duration) response {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex // guards following
		begun int
		fault error
	)
	for range min(conns, 4) {
		wg.Go(func() { // ends when all are begun, or one has failed
			for {
				mu.Lock()
				if begun == conns || fault != nil {
					mu.Unlock()
					return
				}
				begun++
				i := begun
				mu.Unlock()

				end, err := p.contestant.Dial(ctx, addr, p.message)
				if err == nil {
					p.add(end)
					continue
				}
				mu.Lock()
				if fault == nil {
					fault = fmt.Errorf("dial connection %d of %d: %w", i, conns, err)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if fault != nil {
		return response{Error: fault.Error()}
	}
	return response{}
}

func (p *party) add(end peers.End) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ends = append(p.ends, end)
}

// all returns the server, if there is one, and the connections.
func (p *party) all() (peers.Server, []peers.End) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.server, p.ends[:len(p.ends):len(p.ends)]
}

func closeAll(ends []peers.End) {
	for _, end := range ends {
		end.Close()
	}
}

// close ends all connections. The errors of connections are of no interest: the
// other party may have been faster.
func (p *party) close() {
	p.mu.Lock()
	server, ends := p.server, p.ends
	p.server, p.ends = nil, nil
	p.mu.Unlock()
	closeAll(ends)
	if server != nil {
		server.Close()
	}
}

// measureUsage returns what is in use after garbage collection.
func measureUsage() usage {
	runtime.GC()
	runtime.GC() // the first one leaves pools their victims
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{m.HeapAlloc + m.StackInuse, runtime.NumGoroutine()}
}
