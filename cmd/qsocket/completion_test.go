package main

import (
	"os/exec"
	"strings"
	"testing"
)

// The scripts complete what there is: commands, and the options of a command.
func TestCompletion(t *testing.T) {
	for _, tt := range []struct {
		name, words string
		want, not   string
	}{
		{"commands", "qsocket ''", "probe", "--samples"},
		{"begun", "qsocket pr", "probe", "schema"},
		{"options", "qsocket probe --s", "--samples", "--timeout"},
		{"subcommand", "qsocket schema d", "diff", "probe"},
		{"its options", "qsocket schema diff --j", "--json", "--samples"},
		{"behind an address", "qsocket probe localhost:1 --conf", "--confirm", "--json"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := exec.LookPath("bash"); err != nil {
				t.Skip("no bash")
			}
			script := runs(t, "completion", "bash").out + "COMP_WORDS=(" + tt.words + ")\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_qsocket\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n"
			out, err := exec.Command("bash", "-c", script).CombinedOutput()
			words := "\n" + string(out)
			if err != nil || !strings.Contains(words, "\n"+tt.want+"\n") || strings.Contains(words, "\n"+tt.not+"\n") {
				t.Errorf("got %v, %s", err, out)
			}
		})
	}
	runs(t, "completion", "zsh").want(t, 0, "bashcompinit", "complete -o default -F _qsocket qsocket")
	runs(t, "completion", "fish").want(t, 0, "complete -c qsocket -n '__fish_use_subcommand' -a probe -d 'Say what is at an address, and whether it is well.'\n",
		"complete -c qsocket -n '__fish_seen_subcommand_from probe' -l samples -d ")
	runs(t, "completion", "ksh").want(t, 2, "bash")
}

func TestHelp(t *testing.T) {
	runsBuilt(t, "", "--help").want(t, 0, "Usage: qsocket <command>", "Exit codes:", "probe", "schema", "bench")
	runsBuilt(t, "").want(t, 2, "expected one of")
	runsBuilt(t, "", "prob").want(t, 2, `did you mean "probe"?`)
	runs(t, "probe", "-help").want(t, 0, "Usage: qsocket probe <address>")
	runs(t, "version").want(t, 0, "qsocket ", "with the library")
}
