package qsockettest

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func init() {
	if testing.Testing() {
		os.Args = defineLate(flag.CommandLine, os.Args)
	}
}

// updateFlag is the flag that [Golden] looks at.
const updateFlag = "update"

// defineLate ensures that flags has -update when args are parsed. A test
// binary may well define a flag of that name itself, and would do so after this
// package: for it to find the flag defined already is a panic. So it is defined
// while the command line is parsed, by another flag that is put in front, if
// it is still missing then; and only where -update is used at all.
func defineLate(flags *flag.FlagSet, args []string) []string {
	used := func(arg string) bool {
		return strings.TrimLeft(arg, "-") == updateFlag && arg != updateFlag || strings.HasPrefix(arg, "-"+updateFlag+"=") || strings.HasPrefix(arg, "--"+updateFlag+"=")
	}
	if len(args) < 2 || !slices.ContainsFunc(args[1:], used) {
		return args
	}
	const first = "qsockettest.update"
	flags.BoolFunc(first, "define -update for qsockettest.Golden", func(string) error {
		if flags.Lookup(updateFlag) == nil {
			flags.Bool(updateFlag, false, "write the files of qsockettest.Golden")
		}
		return nil
	})
	return slices.Insert(slices.Clone(args), 1, "-"+first)
}

// update is what is written to golden files.
type update int

const (
	updateNothing    update = iota
	updateSurvivable        // what does not break
	updateAll
)

// updating returns what is to be written to golden files.
func updating() (update, error) {
	switch v := os.Getenv("QSOCKET_UPDATE"); v {
	case "breaking":
		return updateAll, nil
	case "":
	default:
		on, err := strconv.ParseBool(v)
		if err != nil {
			return updateNothing, fmt.Errorf("QSOCKET_UPDATE is %q, want 1, breaking, 0 or nothing", v)
		}
		if on {
			return updateSurvivable, nil
		}
	}
	if f := flag.Lookup(updateFlag); f != nil && f.Value.String() == "true" {
		return updateSurvivable, nil
	}
	return updateNothing, nil
}
