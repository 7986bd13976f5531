#!/usr/bin/env bash
# Builds, checks and tests the module of the command, cmd/qsocket, with the library of this
# tree. Its go.mod requires a tagged version of it and has no replace, so that go install works; a
# workspace, which only this script and ci/outside.sh know, puts this tree in the place of that. It
# must not be found by other commands: it would raise the versions of what the root requires.
#
#	ci/command.sh [go test flags]    such as -run Probe -v
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export GOWORK=$PWD/ci/command.work
cd cmd/qsocket
go vet ./...
bash ../../ci/lint.sh cmd/qsocket
go build -buildvcs=false -o /dev/null .
go test -count=1 "$@" ./...
