package main

import (
	"fmt"
	"runtime/debug"
)

// versionCommand prints what go install has recorded.
type versionCommand struct{}

func (c *versionCommand) Run(p *program) error {
	version, library := "(devel)", "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
		for _, m := range info.Deps {
			if m.Path == "github.com/fb9bb4ed/qsocket" {
				library = m.Version
			}
		}
	}
	_, err := fmt.Fprintf(p.out, "qsocket %s, with the library %s\n", version, library)
	return err
}
