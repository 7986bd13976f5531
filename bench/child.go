package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// childArg, as the only argument, makes the program a child: it reads requests
// from its standard input, one JSON value a line, and answers on its standard
// output.
const childArg = "-internal-party"

// isChild reports whether this process is to be a child.
func isChild() bool { return len(os.Args) == 2 && os.Args[1] == childArg }

// order is what the parent writes.
type order struct {
	To      seat
	Request request
	Limit   time.Duration
}

// runChild is the whole life of a child. It ends when the parent closes the
// pipe, and so at the latest with the parent, whatever a contestant is doing.
func runChild() {
	replies := json.NewEncoder(os.Stdout)
	os.Stdout = os.Stderr // for contestants that print

	orders := make(chan order)
	go func() { // ends with the process
		in := json.NewDecoder(waitingStdin())
		for {
			var o order
			if err := in.Decode(&o); err != nil {
				if !errors.Is(err, io.EOF) {
					fmt.Fprintln(os.Stderr, "bench: child:", err)
				}
				os.Exit(0)
			}
			orders <- o
		}
	}()
	var parties [seats]party
	for o := range orders {
		if err := replies.Encode(parties[o.To].do(o.Request, o.Limit)); err != nil {
			os.Exit(1)
		}
	}
}

// A seat is one of the parties in a child.
type seat int

const (
	serverSeat seat = iota
	clientSeat
	seats
)

// A child is a process of its own, with a party for either side.
type child struct {
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	replies chan response // closed when the process has ended
}

func startChild() (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, childArg)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start another process: %w", err)
	}
	c := &child{cmd: cmd, stdin: stdin, replies: make(chan response, 1)}
	go func() { // ends with the process; leave and do are told by the channel
		defer close(c.replies)
		in := json.NewDecoder(bufio.NewReader(stdout))
		for {
			var r response
			if in.Decode(&r) != nil {
				return
			}
			c.replies <- r
		}
	}()
	return c, nil
}

// side returns the party in that seat.
func (c *child) side(at seat) side { return guest{c, at} }

// A guest is a party in a child.
type guest struct {
	in *child
	at seat
}

func (g guest) do(r request, limit time.Duration) response { return g.in.do(g.at, r, limit) }

// do asks the child. One that does not answer in time is killed: the parties in it
// keep to the limit, so it is the process that has come to a stop.
func (c *child) do(to seat, r request, limit time.Duration) response {
	line, err := json.Marshal(order{to, r, limit})
	if err == nil {
		_, err = c.stdin.Write(append(line, '\n'))
	}
	if err != nil {
		return response{Error: fmt.Sprintf("%s: tell the other process: %v", r.Op, err)}
	}
	timeout := time.NewTimer(limit + 5*time.Second)
	defer timeout.Stop()
	select {
	case resp, ok := <-c.replies:
		if !ok {
			return response{Error: r.Op + ": the other process has ended"}
		}
		return resp
	case <-timeout.C:
		c.cmd.Process.Kill()
		return response{Error: r.Op + ": the other process does not answer"}
	}
}

// leave ends the process.
func (c *child) leave() {
	c.stdin.Close()
	kill := time.AfterFunc(5*time.Second, func() { c.cmd.Process.Kill() })
	defer kill.Stop()
	for range c.replies { // until the pipe is read to its end, as Wait requires
	}
	c.cmd.Wait() // its exit status says nothing new
}
