#!/usr/bin/env bash
# Uses the module as a program of its users does: from a module outside of this
# one. The program is the first complete one of README.md, which has to print what
# stands behind "// Output:" in it, so this also keeps that one correct.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

root=$PWD
module=$(go list -m)
language=$(go list -m -f '{{.GoVersion}}')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The first block fenced by ```go in which a line says "package main".
awk '
	/^```go[ \t\r]*$/ { inside = 1; text = ""; complete = 0; next }
	/^```/ && inside  { if (complete) { printf "%s", text; exit } inside = 0 }
	inside            { text = text $0 "\n"; if ($0 ~ /^package main/) complete = 1 }
' README.md >"$work/main.go"
if [[ ! -s $work/main.go ]]; then
	echo 'README.md: no ```go block with "package main"' >&2
	exit 1
fi

cp go.sum "$work/" # so that the checksums are those of this module
cd "$work"
go mod init example.test/outside 2>/dev/null
go mod edit -go="$language" -require="$module@v0.0.0" -replace="$module=$root"
if [[ -n $(gofmt -l main.go) ]]; then
	echo 'README.md: the program is not formatted by gofmt' >&2
	exit 1
fi
go vet -mod=mod .
go build -mod=mod -buildvcs=false -o program .
limit=()
if command -v timeout >/dev/null; then
	limit=(timeout 60)
fi
"${limit[@]}" ./program >printed
sed -n '/^\t\/\/ Output:/,/^}/s/^\t\/\/ \{0,1\}//p' main.go | sed 1d >promised
if [[ ! -s promised ]] || ! diff promised printed; then
	echo 'README.md: the program does not print what it says' >&2
	exit 1
fi
cat printed
