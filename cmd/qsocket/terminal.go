package main

import (
	"os"

	"github.com/fatih/color"
	"golang.org/x/term"
)

// isTerminal reports whether f, an input or an output, is one.
func isTerminal(f any) bool {
	file, ok := f.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// palette paints texts, or leaves them as they are: what is no terminal gets no colours.
type palette struct{ red, yellow, green, faint func(string) string }

// colors are those of the output. NO_COLOR switches them off (https://no-color.org).
func (p *program) colors() palette {
	on := isTerminal(p.out) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	paint := func(a color.Attribute) func(string) string {
		c := color.New(a)
		if on {
			c.EnableColor()
		} else {
			c.DisableColor()
		}
		return func(s string) string { return c.Sprint(s) }
	}
	return palette{red: paint(color.FgRed), yellow: paint(color.FgYellow), green: paint(color.FgGreen), faint: paint(color.Faint)}
}
