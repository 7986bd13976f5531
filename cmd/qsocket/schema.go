package main

type schemaCommand struct {
	peerOptions
	Address string `arg:"" help:"Where the server listens."`
}

func (c *schemaCommand) Run(p *program) error { return nil }
