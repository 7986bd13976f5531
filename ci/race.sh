#!/usr/bin/env bash
# go test under the race detector, uncached. Arguments are passed on. What one goroutine does
# is left out, such as codecs and schemas, and so are the hostile peers, whose tests are of memory
# and need processes: together they would take longer than all the rest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

packages=()
for package in $(go list ./...); do
	case ${package#*/qsocket/} in
	tests/codecs | tests/fit | tests/schema | tests/shapes | tests/hostile* | tests/interop) ;;
	internal/schema | internal/gobscan | internal/mp* | internal/json* | internal/deep | internal/treesize | internal/intern) ;;
	codecbench | pickle | ci/* | examples/mtls | examples/peercred | examples/python | examples/original | examples/tokens | examples/orders/*) ;;
	*) packages+=("$package") ;;
	esac
done
CGO_ENABLED=1 go test -race -vet=off -count=1 -timeout=30m -skip '^TestWhatFitsIsSent$' "$@" "${packages[@]}"
