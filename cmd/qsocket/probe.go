package main

type probeCommand struct {
	peerOptions
	Address string `arg:"" help:"Where the server listens."`
}

func (c *probeCommand) Run(p *program) error { return nil }
