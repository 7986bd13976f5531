#!/usr/bin/env bash
# go test under the race detector, uncached. Arguments are passed on. The packages, and a
# test, that encode, decode and compare in one goroutine are left out: they take the longest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

packages=()
for package in $(go list ./...); do
	case $package in
	*/tests/codecs | */tests/fit | */tests/schema | */tests/shapes | */internal/schema | */internal/gobscan | */pickle) ;;
	*) packages+=("$package") ;;
	esac
done
CGO_ENABLED=1 go test -race -count=1 -timeout=30m -skip '^TestWhatFitsIsSent$' "$@" "${packages[@]}"
