#!/usr/bin/env bash
# Lets the library meet programs in other languages (tests/interop). Here a peer that is
# skipped is a failure: all of them must be installed, as .ci/run does on Debian.
#
#	ci/interop.sh             Node, Python, Erlang, Twisted, and the Python package's pickles
#	ci/interop.sh -nightly    and Rust, Netty and framings from npm
#	ci/interop.sh -prepare    only fetches what they need from npm: ci/test.sh has the tests as well
#	ci/interop.sh -run Node   any flags of go test
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# node_packages installs what the lock of a directory says, if it has changed since.
node_packages() {
	if ! cmp -s "$1/package-lock.json" "$1/node_modules/.installed"; then
		npm ci --prefix "$1" --no-audit --no-fund --loglevel=error
		cp "$1/package-lock.json" "$1/node_modules/.installed"
	fi
}

own=() every=()
node_packages interop/node
while (($#)); do
	case $1 in
	-prepare) exit ;;
	-nightly)
		own+=("$1")
		node_packages interop/framings
		bash interop/rust/build.sh
		bash interop/java/build.sh
		;;
	*) every+=("$1") ;;
	esac
	shift
done

export QSOCKET_PEERS=required
go test -count=1 -timeout=10m -v "${every[@]}" ./tests/interop "${own[@]}" | grep -vE '^=== |^ *--- PASS: Test[^ ]*/'
