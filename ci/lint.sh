#!/usr/bin/env bash
# staticcheck, pinned. Takes a module's directory; default: the root module.
#
# Some packages of tests instantiate the library for hundreds of types, and the
# checks that follow values (SA) look at each of them: a minute or two, and 3 GB, for
# each. These have all other checks.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cd "${1:-.}"

staticcheck=(go run honnef.co/go/tools/cmd/staticcheck@v0.8.2)
many=() rest=()
for package in $(go list ./...); do
	case $package in
	*/qsocket/tests/codecs | */qsocket/tests/fit | */qsocket/tests/schema) many+=("$package") ;;
	*) rest+=("$package") ;;
	esac
done
"${staticcheck[@]}" "${rest[@]}"
if ((${#many[@]})); then
	"${staticcheck[@]}" -checks 'inherit,-SA*' "${many[@]}"
fi
