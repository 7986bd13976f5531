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

# The command, as go install finds it after a release: from a module proxy of files, with a cache of its
# own, so that no version of this tree is taken for the released one. What else it requires comes from
# the usual cache, or the usual proxy.
cd "$root"
version=$(go run ./ci/proxy "$work/proxy")
cd "$work"
usual=$(go env GOMODCACHE)/cache/download,$(go env GOPROXY)
GOWORK=off GOFLAGS=-modcacherw GOMODCACHE=$work/cache GOPROXY=file://$work/proxy,file://$usual GONOSUMDB=$module,$module/* \
	GOBIN=$work/bin go install "$module/cmd/qsocket@$version"
"$work/bin/qsocket" version | tee installed
grep -qxF "qsocket $version, with the library $version" installed
