#!/usr/bin/env bash
# go test, uncached; a hang is cut short, with all stacks. Arguments are passed
# on: ci/test.sh -run Close -v. Peers in other languages are left to ci/interop.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

packages=()
for package in $(go list ./...); do
	case ${package#*/qsocket/} in
	tests/interop) ;;
	*) packages+=("$package") ;;
	esac
done
go test -count=1 -timeout=15m "$@" "${packages[@]}"
