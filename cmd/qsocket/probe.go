package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/fb9bb4ed/qsocket/internal/handshake"
	"github.com/fb9bb4ed/qsocket/internal/wire"

	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/greet"
)

// probeCommand connects as a client of the server's own protocol does, and leaves with a
// goodbye. So it sees what a client sees, and the server has nothing to log above Debug.
type probeCommand struct {
	Address string `arg:"" help:"Where the server listens: tcp://host:port, unix://path or tls://host:port."`
	Samples int    `name:"samples" short:"n" default:"1" placeholder:"N" help:"Connect N times, one after the other, and print percentiles of the times."`
	Confirm bool   `help:"It is not well either if the server's program does not confirm in time that it has read up to our goodbye."`
	peerOptions
}

// Help is what --help adds.
func (c *probeCommand) Help() string {
	return `
It is well if the handshake succeeds: exit code 0. If nothing is there, or it refuses us, the code
is 1. Nothing above Debug is in the log of a server that lets us in, so this is a health check:

  qsocket probe --json --timeout 1s localhost:7070
  qsocket probe --confirm unix:///run/orders.sock
  qsocket probe -n 100 tls://orders.test:7070 --ca ca.pem --attr token=xy
`
}

// quickConfirm is how long a confirm is awaited that is only to be reported: a program that
// sends and does not read has none.
const quickConfirm = time.Second

func (c *probeCommand) Run(p *program) error {
	if c.Samples < 1 {
		return usagef("-n %d: want 1 or more", c.Samples)
	}
	if c.raw() {
		return c.probeRaw(p)
	}
	r := &probeResult{Address: c.Address}
	var err error
	for i := 0; i < c.Samples && err == nil; i++ {
		err = c.sample(p.ctx, r, i == 0)
	}
	r.finish(err)
	if c.JSON {
		if printErr := printJSON(p.out, r); printErr != nil {
			return printErr
		}
		if err != nil {
			return silently(exitCode(err))
		}
		return nil
	}
	r.print(p.out, c)
	return err
}

// sample is one connection, in which the types are asked for or not.
func (c *probeCommand) sample(ctx context.Context, r *probeResult, types bool) error {
	begin := time.Now()
	nc, err := c.dial(ctx, c.Address)
	if err != nil {
		return err
	}
	r.times[connectTime] = append(r.times[connectTime], time.Since(begin))
	if secure, ok := nc.(*tls.Conn); ok {
		r.TLS = newTLSReport(secure.ConnectionState())
	}
	peer, err := c.greet(ctx, c.Address, nc, types)
	if peer != nil {
		r.heard(peer)
	}
	if err != nil {
		return err
	}
	r.times[helloTime] = append(r.times[helloTime], peer.Heard)
	r.Well = true
	return c.leave(ctx, r, peer)
}

// leave says goodbye and notes how long the confirm takes.
func (c *probeCommand) leave(ctx context.Context, r *probeResult, peer *greet.Peer) error {
	wait := c.Timeout
	if !c.Confirm {
		wait = min(wait, quickConfirm)
	}
	confirming, cancel := context.WithTimeout(ctx, wait)
	took, err := peer.HalfGoodbye(confirming)
	cancel()
	switch refused := (*handshake.Refused)(nil); {
	case err == nil:
		r.times[confirmTime] = append(r.times[confirmTime], took)
	case errors.As(err, &refused):
		peer.Close()
		return advise(c.Address, &c.peerOptions, err)
	case ctx.Err() != nil:
		peer.Close()
		return ctx.Err()
	default:
		r.unconfirmed = wait
	}
	r.GoingAway = peer.GoingAway
	leaving, cancel := context.WithTimeout(ctx, min(c.Timeout, quickConfirm))
	defer cancel()
	_ = peer.Leave(leaving) // what there is to know is known
	switch {
	case err == nil || !c.Confirm:
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: no confirm within %v: the server's program does not read what clients send", c.Address, c.Timeout)
	}
	return fmt.Errorf("%s: the connection ended before the confirm: %w", c.Address, err)
}

// probeRaw connects to a server without a hello. All that it can see is whether the connection
// is accepted, and not closed at once.
func (c *probeCommand) probeRaw(p *program) error {
	framing, err := c.framing()
	if err != nil {
		return err
	}
	begin := time.Now()
	nc, err := c.dial(p.ctx, c.Address)
	if err != nil {
		return err
	}
	defer nc.Close()
	r := &probeResult{Address: c.Address, Raw: true, Framing: framing.String(), Codec: c.Codec, Well: true}
	r.times[connectTime] = append(r.times[connectTime], time.Since(begin))
	if secure, ok := nc.(*tls.Conn); ok {
		r.TLS = newTLSReport(secure.ConnectionState())
	}
	err = listen(nc)
	r.finish(err)
	if err != nil {
		err = fmt.Errorf("%s: %w", c.Address, err)
	}
	if c.JSON {
		if printErr := printJSON(p.out, r); printErr != nil {
			return printErr
		}
		if err != nil {
			return silently(exitFound)
		}
		return nil
	}
	r.print(p.out, c)
	return err
}

// rawGlance is how long a server without a hello is watched: whether it closes at once.
const rawGlance = 100 * time.Millisecond

// listen returns an error if the server has a hello after all, or ends the connection at once.
func listen(nc net.Conn) error {
	_ = nc.SetReadDeadline(time.Now().Add(rawGlance))
	first := make([]byte, 16)
	n, err := io.ReadAtLeast(nc, first, 4)
	switch {
	case n >= 4 && wire.CheckMagic(first[:n]) == nil:
		return errors.New("the server has a hello: leave out --codec and --framing, or give --name")
	case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("the server ends the connection at once: %w", err)
	}
	return nil
}
