#!/usr/bin/env bash
# Runs go test with the oldest Go that go.mod allows and with the newest one released,
# which the go command fetches. The fault group, the hostile peers, the examples and other
# programs are left out, and packages in which only types are compared: they run with the Go installed (ci/test.sh).
#
#	ci/versions.sh           both
#	ci/versions.sh oldest    or newest
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

newest=go1.27.0
oldest=go$(go list -m -f '{{.GoVersion}}')
if [[ $oldest =~ ^go[0-9]+\.[0-9]+$ ]]; then
	oldest+=.0 # the first release of that language version
fi

if (($# == 0)); then
	set -- oldest newest
fi
for name; do
	case $name in
	oldest) export GOTOOLCHAIN=$oldest ;;
	newest) export GOTOOLCHAIN=$newest ;;
	*) echo "usage: ci/versions.sh [oldest] [newest]" >&2; exit 2 ;;
	esac
	echo "--- $name: $GOTOOLCHAIN"
	# What takes gigabytes, starts processes or compiles is run once, by test.sh.
	packages=() skip='^(TestNoValueEndsTheProcess|TestDrawnTypes|TestFailures|TestRollingRestart|TestSendPaths|TestDecodedBuffer)$'
	for package in $(go list ./...); do
		case ${package#*/qsocket/} in
		tests/faults | tests/hostile* | tests/fit | tests/schema | tests/shapes | tests/interop | internal/schema) ;;
		tests/service | tests/session | tests/ends) ;; # time and order, which are the same everywhere
		examples/* | pickle | codecbench | ci/*) ;;
		internal/mpplan | internal/gobscan | internal/jsonscan | internal/socket | internal/link | internal/inbox | internal/outbox) packages+=("$package") ;;
		internal/*) ;; # nothing in it depends on Go's version
		tests/codecs) [[ $name == oldest ]] || packages+=("$package") ;; # what encoding/json, gob and reflect do by now
		*) packages+=("$package") ;;
		esac
	done
	if [[ ! -d tests/faults ]]; then
		skip+='|^TestFault'
	fi
	go test -vet=off -count=1 -timeout=15m -skip "$skip" "${packages[@]}"
done
