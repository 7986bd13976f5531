// Command qsocket looks at servers of package qsocket, and talks to them, without their Go types.
//
//	go install github.com/fb9bb4ed/qsocket/cmd/qsocket@latest
//	qsocket --help
//
// docs/command.md has each command with what it prints. A command is in the file of its name, and in
// files whose names begin so:
//
//	probe    what is there, and is it well?
//	schema   the types of its messages, and what a change of them means
//	cat      JSON lines in, JSON lines out
//	tap      a proxy that shows every frame
//	replay   one side of a recording (takes.go), at its own pace
//	load     load, and the latency under it (meter.go, chart.go)
//	bench    codecs with messages of your own
//
// What they share:
//
//	main        from arguments to an exit code
//	options     the options of all commands with an address, and how they connect
//	talk        a connection whose messages are payloads
//	advice      errors that say what to do
//	errors      errors, each one line, with the exit code that they mean
//	output      what is printed: lines for people, JSON, nothing unprintable
//	terminal    what only a terminal gets
//	completion  completion for bash, zsh and fish
//
//	internal/address       tcp://, unix:// and tls://, parsed and dialed
//	internal/greet         the handshake of an observer: it learns protocol, codec and types
//	internal/value         messages as JSON, by a description instead of a Go type
//	internal/typed         Go types of a description, for bench
//	internal/frames        one direction of a connection, cut into frames
//	internal/conversation  both directions, and what they say
//	internal/proxy         bytes passed on, unchanged
//	internal/recording     a file of them
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"github.com/alecthomas/kong"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// commands is the command line: one field for each command.
type commands struct {
	Probe      probeCommand      `cmd:"" help:"Say what is at an address, and whether it is well."`
	Schema     schemaCommand     `cmd:"" help:"Print the types of the messages, or compare two versions of them."`
	Cat        catCommand        `cmd:"" help:"Send lines of JSON, and print what comes as lines of JSON."`
	Tap        tapCommand        `cmd:"" help:"Stand between clients and a server, and print every frame."`
	Replay     replayCommand     `cmd:"" help:"Send one side of a recording again, and compare the answers."`
	Load       loadCommand       `cmd:"" help:"Send messages for some time, and measure how long the answers take."`
	Bench      benchCommand      `cmd:"" help:"Measure codecs with messages of your own."`
	Completion completionCommand `cmd:"" help:"Print the completion script of a shell."`
	Version    versionCommand    `cmd:"" help:"Print the version of this program."`
}

// program is what a command may use of the world around it. Its Run takes one.
type program struct {
	ctx    context.Context // ended by an interrupt
	in     io.Reader
	out    io.Writer
	err    io.Writer
	parser *kong.Kong
}

// run is the whole program: it returns the exit code. Tests call it beside the built binary.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	p := &program{ctx: ctx, in: in, out: out, err: errOut}
	code, err := p.run(args)
	if err != nil {
		p.complain(err)
	}
	return code
}

// exited is what kong's Exit hook panics with: --help has been printed.
type exited int

func (p *program) run(args []string) (code int, err error) {
	defer func() {
		if e, ok := recover().(exited); ok {
			code, err = int(e), nil
		}
	}()
	p.parser, err = kong.New(new(commands),
		kong.Name("qsocket"),
		kong.Description("Looks at servers of package qsocket, and talks to them.\n\n"+
			"An address is tcp://host:port, unix://path or tls://host:port; host:port alone is tcp.\n\n"+
			"Exit codes: 0 all is well; 1 what was found is not; 2 it could not be asked, such as a wrong option."),
		kong.Writers(p.out, p.err),
		kong.Exit(func(code int) { panic(exited(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.ExplicitGroups([]kong.Group{{Key: "protocol", Title: "What the server speaks:"}, {Key: "tls", Title: "For tls://host:port:"}}),
	)
	if err != nil {
		return exitUsage, err
	}
	parsed, err := p.parser.Parse(doubleDashes(p.parser.Model, args))
	if err != nil {
		return exitUsage, usage(err)
	}
	err = parsed.Run(p)
	return exitCode(err), err
}

// doubleDashes makes --name of -name, as users of Go's own tools write it: of each word behind one
// dash, unless its first letter is a short option.
func doubleDashes(model *kong.Application, args []string) []string {
	long, short := map[string]bool{"help": true}, map[rune]bool{'h': true}
	_ = kong.Visit(model, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok {
			long[flag.Name], short[flag.Short] = true, true
		}
		return next(nil)
	})
	spelled := slices.Clone(args)
	for i, arg := range args {
		if arg == "--" {
			break
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(arg, "-"), "=")
		first, size := utf8.DecodeRuneInString(name)
		if len(arg) > 2 && arg[0] == '-' && unicode.IsLetter(first) && len(name) > size && (long[name] || !short[first]) {
			spelled[i] = "-" + arg
		}
	}
	return spelled
}

// exitCode is that of an error of a command.
func exitCode(err error) int {
	var coded *codedError
	switch {
	case err == nil:
		return exitWell
	case errors.As(err, &coded):
		return coded.code
	}
	return exitFound
}
