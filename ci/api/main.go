// Command api compares the exported API of the module with its record.
//
//	go run ./ci/api [-update] FILE
//
// FILE has a line for each exported function, constant, variable, type, field and
// method of the packages that others can import, as the folder api of Go itself
// has them: $0 is the first type parameter, and parameters have no names, for
// neither name is seen by callers. It must be run in the module's directory.
package main

import (
	"errors"
	"flag"
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

func main() {
	update := flag.Bool("update", false, "write FILE")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: api [-update] FILE")
		os.Exit(2)
	}
	if err := run(flag.Arg(0), *update); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(file string, update bool) error {
	packages, err := load()
	if err != nil {
		return err
	}
	var now []string
	for _, pkg := range packages {
		now = append(now, describe(pkg)...)
	}
	slices.Sort(now)
	if update {
		return os.WriteFile(file, []byte(strings.Join(now, "\n")+"\n"), 0o666)
	}
	record, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if d := diff(strings.Split(strings.TrimSpace(string(record)), "\n"), now); d != "" {
		return fmt.Errorf(`%sThe exported API is not what %s has recorded.
- is removed or changed: programs that use it no longer build. + is new.
If that is what you want, say so in CHANGELOG.md, run ci/api.sh -update, and commit %[2]s`, d, file)
	}
	return nil
}

// load returns the packages of the module that others can import. Their types are those
// that the compiler has exported, so nothing is needed but the go command.
func load() ([]*types.Package, error) {
	list := exec.Command("go", "list", "-export", "-deps", "-f",
		"{{.ImportPath}}\t{{.Export}}\t{{if and .Module .Module.Main (ne .Name \"main\") .GoFiles}}own{{end}}", "./...")
	list.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64") // the system changes nothing of what is exported
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	exports := make(map[string]string)
	var own []string
	for line := range strings.Lines(string(out)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		path := fields[0]
		exports[path] = fields[1]
		inside := func(folder string) bool { return slices.Contains(strings.Split(path, "/"), folder) }
		if fields[2] == "own" && !inside("internal") && !inside("examples") && !inside("tests") {
			own = append(own, path)
		}
	}
	if len(own) == 0 {
		return nil, errors.New("no packages here")
	}
	lookup := func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }
	compiled := importer.ForCompiler(token.NewFileSet(), "gc", lookup)
	var packages []*types.Package
	for _, path := range own {
		pkg, err := compiled.Import(path)
		if err != nil {
			return nil, err
		}
		packages = append(packages, pkg)
	}
	return packages, nil
}

// diff returns the lines that are only in before, with a -, and only in after,
// with a +, in their order. Both must be sorted.
func diff(before, after []string) string {
	var changed []string
	for _, line := range before {
		if _, found := slices.BinarySearch(after, line); !found {
			changed = append(changed, line+"\x00-")
		}
	}
	for _, line := range after {
		if _, found := slices.BinarySearch(before, line); !found {
			changed = append(changed, line+"\x00+")
		}
	}
	slices.Sort(changed)
	var b strings.Builder
	for _, line := range changed {
		line, sign, _ := strings.Cut(line, "\x00")
		fmt.Fprintln(&b, sign, line)
	}
	return b.String()
}
