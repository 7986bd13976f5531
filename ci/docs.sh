#!/usr/bin/env bash
# Fails if a document names something that does not exist: the target of a
# relative link or its heading, a path of the repository, a test. Also if
# CONTRIBUTING leaves out a script of ci/, or if a document names another oldest
# Go than go.mod.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

contributing=.github/CONTRIBUTING.md
problems=$(mktemp)
trap 'rm -f "$problems"' EXIT
complain() { printf '%s\n' "$*" >>"$problems"; }

# prose prints a document without its fenced blocks.
prose() { awk '/^ *```/ { fenced = !fenced; next } !fenced' "$1"; }

# anchors prints the names by which GitHub links to the headings of a document.
anchors() {
	prose "$1" | sed -n 's/^##* //p' | tr '[:upper:]' '[:lower:]' | sed 's/[^a-z0-9 _-]//g; s/ /-/g'
}

# links prints the targets of a document's links.
links() { prose "$1" | grep -oE '\]\([^) ]+' | sed 's/^](//' || true; }

# paths prints what looks like a path of the repository in any text.
paths() {
	grep -oE '(^|[^A-Za-z0-9_./-])((ci|docs|tests|internal|examples|bench|codecbench|qsockettest|interop)/[A-Za-z0-9_./-]+|\.ci/run)' "$1" |
		sed -E 's/^[^A-Za-z0-9_.]//; s/[./-]+$//' | sort -u || true
}

# tests prints the names of tests in a document.
tests() { prose "$1" | grep -oE '\b(Test|Fuzz|Benchmark)[A-Z][A-Za-z0-9]+' | sort -u || true; }

functions=$(find . -name '*_test.go' -exec grep -hoE '^func (Test|Fuzz|Benchmark)[A-Za-z0-9_]+' {} + | sed 's/^func //')
documents=$(find . -name '*.md' -not -path '*/testdata/*' -not -path './.git/*' -not -path '*/node_modules/*' | sed 's|^\./||' | sort)

for doc in $documents; do
	dir=$(dirname "$doc")
	while IFS= read -r link; do
		case $link in https:* | http:* | mailto:*) continue ;; esac
		target=${link%%#*}
		file=$doc
		if [[ -n $target ]]; then
			file=$dir/$target
			if [[ ! -e $file ]]; then
				complain "$doc: link to $target, which does not exist"
				continue
			fi
		fi
		if [[ $link == *'#'* && $file == *.md ]] && ! anchors "$file" | grep -qxF -- "${link#*#}"; then
			complain "$doc: link to $link, but there is no such heading"
		fi
	done < <(links "$doc")
	while IFS= read -r name; do
		if ! grep -q "^$name" <<<"$functions"; then
			complain "$doc: $name, but no test begins with that"
		fi
	done < <(tests "$doc")
done

for doc in $documents doc.go; do
	if [[ $doc == CHANGELOG.md ]]; then
		continue # older versions had other files
	fi
	while IFS= read -r path; do
		if [[ ! -e $path && ! -e $(dirname "$doc")/$path ]]; then
			complain "$doc: $path does not exist"
		fi
	done < <(paths "$doc")
done

for script in ci/*.sh; do
	if ! grep -qF "$script" "$contributing"; then
		complain "$contributing: does not say what $script is for"
	fi
done

oldest=$(sed -n 's/^go \([0-9]*\.[0-9]*\).*/\1/p' go.mod)
for doc in README.md doc.go; do
	if ! grep -qE "Go ${oldest//./\\.}([^0-9.]|\.[^0-9]|$)" "$doc"; then
		complain "$doc: does not name Go $oldest, the oldest that go.mod allows"
	fi
	if others=$(grep -oE '\bGo 1\.[0-9]+' "$doc" | grep -vxF "Go $oldest" | sort -u) && [[ -n $others ]]; then
		complain "$doc: names $(tr '\n' ' ' <<<"$others")besides Go $oldest of go.mod"
	fi
done

if [[ -s $problems ]]; then
	cat "$problems" >&2
	exit 1
fi
