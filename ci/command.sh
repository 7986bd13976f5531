#!/usr/bin/env bash
# Builds, checks and tests the module of the command, cmd/qsocket, with the library of this
# tree. Its go.mod requires a tagged version of it and has no replace, so that go install works; a
# workspace, which only this script and ci/outside.sh know, puts this tree in the place of that. It
# must not be found by other commands: it would raise the versions of what the root requires.
#
#	ci/command.sh [go test flags]    such as -run Probe -v
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

root=$PWD
module=$(go list -m)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# go mod tidy, with a replace that is taken back.
cd cmd/qsocket
cp go.mod go.sum "$work"
go mod edit -replace="$module=$root" "$work/go.mod"
GOWORK=off go mod tidy -modfile="$work/go.mod"
go mod edit -dropreplace="$module" "$work/go.mod"
diff go.mod "$work/go.mod"
diff <(grep -vF "$module v" go.sum || true) <(grep -vF "$module v" "$work/go.sum" || true) # those of the library come with its tag

export GOWORK=$root/ci/command.work
go vet ./...
bash "$root/ci/lint.sh" cmd/qsocket
go build -buildvcs=false -o /dev/null .
go test -count=1 "$@" ./...
