package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
)

// The documents show what the built program prints. A block fenced by
//
//	```console orders@7070 next@7071
//	$ qsocket probe localhost:7070
//	…
//	```
//
// is run: servers of documentServers are there behind the ports, and the lines that begin with "$ " are given to one bash,
// in a directory that all blocks of a document share; lines that end with "\" go on. Behind one that ends with "&" the next one
// waits until a file *.log says that something listens. A port of the server "free" is free. What is printed has to stand below
// it, but for what differs with each run, see volatile; with "figures" behind the servers, all numbers do. A block "```console" without a server is run as well.
//
//	go test -run Document . -update
//
// writes what is printed into the documents. A new section needs its commands only; a new server, an entry in
// documentServers; a file, to be written by a command ("$ cat > orders.jsonl <<…" does not fit a line: see documentFiles).
var update = flag.Bool("update", false, "write what the program prints into the documents")

var documents = []string{"command.md", "troubleshooting.md"}

func TestDocument(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("no bash")
	}
	for _, name := range documents {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("..", "..", "docs", name)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := runDocument(t, strings.ReplaceAll(string(b), "\r\n", "\n"))
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o666); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(steady(string(b)), steady(got)); diff != "" {
				t.Errorf("docs/%s is not what the program prints; go test -run Document . -update writes it (- is the document):\n%s", name, diff)
			}
		})
	}
}

// Each command has its section in docs/command.md, with the text of --help.
func TestDocumentHasAll(t *testing.T) {
	b, err := os.ReadFile("../../docs/command.md")
	if err != nil {
		t.Fatal(err)
	}
	parser, err := kong.New(new(commands), kong.Name("qsocket"))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range words(parser.Model.Node) {
		if section := "\n$ qsocket " + w.path + " --help\n"; w.path != "" && len(w.subs) == 0 && !strings.Contains(string(b), section) {
			t.Errorf("docs/command.md has no %q", section)
		}
	}
}

// runDocument returns the document with what its blocks print.
func runDocument(t *testing.T, text string) string {
	dir := t.TempDir()
	for name, content := range documentFiles(t) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	lines := strings.SplitAfter(text, "\n")
	for i := 0; i < len(lines); i++ {
		out.WriteString(lines[i])
		info, ok := strings.CutPrefix(strings.TrimSpace(lines[i]), "```console")
		if !ok {
			continue
		}
		var block []string
		for i++; i < len(lines) && strings.TrimSpace(lines[i]) != "```"; i++ {
			block = append(block, strings.TrimSuffix(lines[i], "\n"))
		}
		out.WriteString(runBlock(t, dir, strings.Fields(info), block))
		if i < len(lines) {
			out.WriteString(lines[i])
		}
	}
	return out.String()
}

// runBlock runs the commands of a block.
func runBlock(t *testing.T, dir string, servers, block []string) string {
	real, shown := []string{}, []string{}
	for _, server := range servers {
		if server == "figures" {
			continue
		}
		name, port, _ := strings.Cut(server, "@")
		start, known := documentServers[name]
		if !known {
			t.Fatalf("no server %q in documentServers", name)
		}
		addr, stop := start(t)
		defer stop()
		_, realPort, _ := strings.Cut(addr, ":")
		real = append(real, "localhost:"+port, "localhost:"+realPort, "127.0.0.1:"+port, "127.0.0.1:"+realPort)
		shown = append(shown, "localhost:"+realPort, "localhost:"+port, "127.0.0.1:"+realPort, "127.0.0.1:"+port)
	}
	toReal, toShown := strings.NewReplacer(real...), strings.NewReplacer(shown...)
	var commands [][]string // the lines of each
	for i := 0; i < len(block); i++ {
		if !strings.HasPrefix(block[i], "$ ") {
			continue // what an earlier run has printed
		}
		command := []string{block[i]}
		for strings.HasSuffix(block[i], `\`) && i+1 < len(block) {
			i++
			command = append(command, block[i])
		}
		commands = append(commands, command)
	}
	var script strings.Builder
	script.WriteString("rm -f *.log\n")
	for _, command := range commands {
		text := strings.TrimPrefix(strings.Join(command, "\n"), "$ ")
		fmt.Fprintln(&script, toReal.Replace(text))
		if strings.HasSuffix(text, "&") { // it says when it listens, in a file
			fmt.Fprintln(&script, "for i in $(seq 300); do grep -qs listening *.log && break; sleep 0.1; done")
		}
		fmt.Fprintf(&script, "code=$?; printf '%s\\n'; (exit $code)\n", endOfOutput)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := exec.CommandContext(ctx, "bash", "-c", script.String())
	c.Dir, c.Env = dir, append(os.Environ(), "PATH="+filepath.Dir(builtProgram(t))+string(os.PathListSeparator)+os.Getenv("PATH"), "COLUMNS=100")
	printed, _ := c.CombinedOutput() // the exit code is that of the last command
	if ctx.Err() != nil {
		t.Fatalf("it does not end:\n%s\n%s", script.String(), printed)
	}
	outputs := strings.Split(toShown.Replace(string(printed)), endOfOutput+"\n")
	if len(outputs) != len(commands)+1 {
		t.Fatalf("got the output of %d commands, want %d:\n%s", len(outputs)-1, len(commands), printed)
	}
	var out strings.Builder
	for i, command := range commands {
		fmt.Fprintln(&out, strings.Join(command, "\n"))
		for line := range strings.Lines(outputs[i]) {
			fmt.Fprintln(&out, strings.TrimRight(line, " \n"))
		}
	}
	return out.String()
}

// endOfOutput is printed behind each command of a block.
const endOfOutput = "=== end of output"

// volatile is what differs from run to run: times, numbers of frames, rates and other figures that were measured, dates, ports that the
// system has chosen, and the spaces that line them up.
var volatile = regexp.MustCompile(`(?m)^\d+\.\d+ +\d\d:\d\d:\d\d\.\d+ [+][0-9.]+s|"n":\d+|\d{4}-\d\d-\d\dT?[0-9:.]*Z?|\d\d:\d\d:\d\d(\.\d+)?|[0-9.]+ (ns|µs|ms|s|MB/s|/s)\b|\+[0-9.]+(ns|µs|ms|s)\b|"(min|p50|p90|p99|p999|p9999|max|mean|rate|seconds)":[0-9.e+-]+|(127\.0\.0\.1|\[::1\]):\d{5}|±\s*[0-9.]+ ?%|  +`)

// In blocks that are marked by the word figures, rare lines come on some machines only, and figure is any number, with what
// lines it up.
var (
	measuring = regexp.MustCompile("(?ms)^```console[^\n]* figures\\b.*?^```$")
	rare      = regexp.MustCompile(`(?m)^Busy machine\?.*\n|^no room .*\n|^ +[0-9.]+ % of the rate.*\n`)
	figure    = regexp.MustCompile(`[+-]?[0-9][0-9,.]*( (ns|µs|ms|s)\b)?|  +`)
)

// steady returns text without all of that.
func steady(text string) string {
	text = measuring.ReplaceAllStringFunc(text, func(block string) string {
		return figure.ReplaceAllString(rare.ReplaceAllString(block, ""), "…")
	})
	return volatile.ReplaceAllString(text, "…")
}
