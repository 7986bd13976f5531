package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// completionCommand prints a script that completes commands and options. It knows them from the
// same model as --help, so the script belongs to this version of the program.
type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help is what --help adds.
func (c *completionCommand) Help() string {
	return `
  bash:  source <(qsocket completion bash)
  zsh:   source <(qsocket completion zsh)
  fish:  qsocket completion fish | source
`
}

func (c *completionCommand) Run(p *program) error {
	print := map[string]func(io.Writer, []word){"bash": completeBash, "zsh": completeZsh, "fish": completeFish}[c.Shell]
	print(p.out, words(p.parser.Model.Node))
	return nil
}

// word is a command with what may follow it.
type word struct {
	path  string // "", "probe", "schema diff"
	help  string
	subs  []string
	flags []option
}

type option struct{ name, help string }

// words lists node and the commands below it.
func words(node *kong.Node) []word {
	w := word{path: "", help: node.Help}
	if node.Parent != nil {
		w.path = strings.TrimSpace(strings.TrimPrefix(node.FullPath(), "qsocket"))
	}
	for _, f := range node.Flags {
		w.flags = append(w.flags, option{"--" + f.Name, f.Help})
	}
	if node.Parent != nil { // they are not listed again
		w.flags = append(w.flags, option{"--help", "Show help."})
	}
	all := []word{}
	for _, child := range node.Children {
		if child.Type != kong.CommandNode || child.Hidden {
			continue
		}
		w.subs = append(w.subs, child.Name)
		all = append(all, words(child)...)
	}
	return append([]word{w}, all...)
}

// choices are the words that may come behind w.
func (w *word) choices() string {
	all := append([]string(nil), w.subs...)
	for _, f := range w.flags {
		all = append(all, f.name)
	}
	return strings.Join(all, " ")
}

// completeBash prints a function that finds the command in the words so far. Where nothing
// matches, names of files are completed.
func completeBash(out io.Writer, all []word) {
	fmt.Fprint(out, "_qsocket() {\n\tlocal at=\"\" next choices i\n\tfor ((i = 1; i < COMP_CWORD; i++)); do\n\t\tnext=\"${at:+$at }${COMP_WORDS[i]}\"\n\t\tcase \"$next\" in\n")
	var paths []string
	for _, w := range all[1:] {
		paths = append(paths, fmt.Sprintf("%q", w.path))
	}
	fmt.Fprintf(out, "\t\t%s) at=\"$next\" ;;\n\t\tesac\n\tdone\n\tcase \"$at\" in\n", strings.Join(paths, " | "))
	for _, w := range all {
		fmt.Fprintf(out, "\t%q) choices=%q ;;\n", w.path, w.choices())
	}
	fmt.Fprint(out, "\tesac\n\tCOMPREPLY=($(compgen -W \"$choices\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n}\ncomplete -o default -F _qsocket qsocket\n")
}

// completeZsh uses the function for bash, which zsh can run.
func completeZsh(out io.Writer, all []word) {
	fmt.Fprint(out, "autoload -U +X compinit && compinit -u\nautoload -U +X bashcompinit && bashcompinit\n")
	completeBash(out, all)
}

// completeFish prints a line for each word.
func completeFish(out io.Writer, all []word) {
	quote := func(s string) string { return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'" }
	help := make(map[string]string)
	for _, w := range all {
		help[w.path] = w.help
	}
	for _, w := range all {
		when := "__fish_use_subcommand"
		if w.path != "" {
			when = "__fish_seen_subcommand_from " + w.path[strings.LastIndexByte(w.path, ' ')+1:]
		}
		for _, sub := range w.subs {
			fmt.Fprintf(out, "complete -c qsocket -n %s -a %s -d %s\n", quote(when), sub, quote(help[strings.TrimSpace(w.path+" "+sub)]))
		}
		for _, f := range w.flags {
			fmt.Fprintf(out, "complete -c qsocket -n %s -l %s -d %s\n", quote(when), strings.TrimPrefix(f.name, "--"), quote(f.help))
		}
	}
}
