#!/usr/bin/env bash
# staticcheck, pinned. Takes a module's directory; default: the root module.
#
# The packages of tests instantiate the library for many types, some for hundreds, and the
# checks that follow values (SA) look at each of them: up to two minutes, and 3 GB, for
# a package. These have all other checks.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cd "${1:-.}"

staticcheck=(go run honnef.co/go/tools/cmd/staticcheck@v0.8.2)
many=() rest=()
for package in $(go list ./...); do
	case $package in
	*/qsocket/tests/*) many+=("$package") ;;
	*) rest+=("$package") ;;
	esac
done
"${staticcheck[@]}" "${rest[@]}"
if ((${#many[@]})); then
	"${staticcheck[@]}" -checks 'inherit,-SA*' "${many[@]}"
fi
