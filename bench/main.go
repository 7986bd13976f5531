// Command bench measures ways to send messages between Go programs against
// each other, in interleaved rounds, and writes their results, tables and plots. See README.md.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
)

func main() {
	raiseFileLimit()
	if isChild() {
		runChild()
		return
	}
	err := run(os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are what the command line says.
type options struct {
	contestants, workloads *regexp.Regexp
	rounds                 int
	target                 time.Duration
	quick, list, apart     bool
	goals                  bool
	out, from              string
	shapes                 bool
	files                  string // directory of documents, for -shapes
}

// fullOut is where a full run writes, for the repository to keep.
const fullOut = "../docs/benchmarks"

func parse(args []string, stderr io.Writer) (options, error) {
	var (
		o                      options
		contestants, workloads string
	)
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&contestants, "run", "", "measure only contestants whose name/codec matches this `regexp`")
	flags.StringVar(&workloads, "workload", "", "measure only workloads whose name and title match this `regexp`")
	flags.IntVar(&o.rounds, "rounds", 0, "interleaved rounds (default 5, with -quick 2)")
	flags.DurationVar(&o.target, "time", 0, "time of a run, about (default 200ms, with -quick 20ms)")
	flags.BoolVar(&o.quick, "quick", false, "everything, reduced, in less than two minutes")
	flags.BoolVar(&o.list, "list", false, "list contestants and workloads, and measure nothing")
	flags.BoolVar(&o.apart, "two-process", false, "put the server's end into a process of its own")
	flags.BoolVar(&o.goals, "goals", false, "print the ratios that the project aims at as well, and with -from nothing else")
	flags.StringVar(&o.out, "out", "", "write to this `directory` (default "+fullOut+" for a full run, and otherwise a temporary one)")
	flags.StringVar(&o.from, "from", "", "measure nothing, and make tables and plots of this `file` of results again")
	flags.BoolVar(&o.shapes, "shapes", false, "measure MessagePack by itself, for many types; -run selects them by name, -rounds is 11 and -time 4ms")
	flags.StringVar(&o.files, "files", "", "with -shapes: measure the JSON documents in this `directory` as well")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	var err error
	if o.contestants, err = regexp.Compile(contestants); err != nil {
		return o, fmt.Errorf("-run: %w", err)
	}
	if o.workloads, err = regexp.Compile(workloads); err != nil {
		return o, fmt.Errorf("-workload: %w", err)
	}
	full := contestants == "" && workloads == "" && !o.quick && !o.apart && o.files == ""
	if o.rounds < 0 || o.target < 0 {
		return o, errors.New("-rounds and -time: want a positive value")
	}
	if o.rounds == 0 {
		switch o.rounds = 5; {
		case o.quick:
			o.rounds = 2
		case o.shapes:
			o.rounds = 11
		}
	}
	if o.target == 0 {
		switch o.target = 200 * time.Millisecond; {
		case o.shapes:
			o.target = 4 * time.Millisecond
		case o.quick:
			o.target = 20 * time.Millisecond
		}
	}
	switch {
	case o.out != "":
	case o.from != "":
		o.out = filepath.Dir(o.from)
	default:
		o.out, err = defaultOut(full)
	}
	return o, err
}

// codecs reports whether codecs are to be measured. They are no contestants, so
// a selection of those excludes them.
func (o options) codecs() bool {
	return o.contestants.String() == "" && o.workloads.MatchString(codecWorkload)
}

// defaultOut returns the directory of the repository for a full run, and for
// all others one that no run is compared with: half a table must not replace a
// whole one.
func defaultOut(full bool) (string, error) {
	if !full {
		return filepath.Join(os.TempDir(), "qsocket-bench"), nil
	}
	mod, err := os.ReadFile("go.mod")
	if err != nil || !strings.Contains(string(mod), "module github.com/fb9bb4ed/qsocket/bench\n") {
		return "", errors.New("not in the directory of this module: say with -out where to write")
	}
	return fullOut, nil
}

func run(args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if o.shapes {
		return runShapes(shapeOptions{o.contestants, o.rounds, o.target, o.files, o.out}, stdout, stderr)
	}
	if o.from != "" {
		res, err := readResults(o.from)
		if err != nil {
			return err
		}
		if o.goals {
			return res.printGoals(stdout)
		}
		return o.publish(res, stdout)
	}
	r := newRunner(contestantsNamed(o.contestants.MatchString), workloadsNamed(o.workloads.MatchString, o.quick))
	if o.list {
		printList(stdout, r, o.codecs())
		return nil
	}
	if len(r.cells) == 0 && !o.codecs() {
		return errors.New("nothing matches -run and -workload; -list shows what there is")
	}
	r.rounds, r.target, r.apart = o.rounds, o.target, o.apart

	bar := newBar(r.steps(), stderr)
	r.progress = func(what string) {
		bar.Describe(what)
		bar.Add(1) // fails only beyond the end
	}
	cells := r.run()
	bar.Finish()

	res := newResults(r, cells, o.quick)
	if o.codecs() {
		res.measureCodecs()
	}
	return o.publish(res, stdout)
}

// publish writes what a run has found: the repository's results are also shown
// in its README.
func (o options) publish(res *results, stdout io.Writer) error {
	err := res.publish(o.out, stdout)
	if err == nil && filepath.Clean(o.out) == fullOut {
		err = res.updateReadme(readme)
	}
	if err == nil && o.goals {
		err = res.printGoals(stdout)
	}
	return err
}

// newBar returns a progress bar, which is silent where w is not a terminal.
func newBar(steps int, w io.Writer) *progressbar.ProgressBar {
	f, terminal := w.(*os.File)
	if terminal {
		info, err := f.Stat()
		terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return progressbar.NewOptions(steps,
		progressbar.OptionSetWriter(w), progressbar.OptionSetVisibility(terminal), progressbar.OptionSetWidth(24),
		progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(), progressbar.OptionUseANSICodes(false))
}

func printList(w io.Writer, r *runner, codecs bool) {
	fmt.Fprintln(w, "contestants:")
	for _, c := range r.contestants {
		fmt.Fprintln(w, "  "+c.String())
	}
	fmt.Fprintln(w, "workloads:")
	for _, l := range r.workloads {
		fmt.Fprintf(w, "  %-13s %s\n", l.Name, l.Title)
	}
	if !codecs {
		return
	}
	name, title, _ := strings.Cut(codecWorkload, " ")
	fmt.Fprintf(w, "  %-13s %s\n", name, title)
}
