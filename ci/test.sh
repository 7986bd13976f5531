#!/usr/bin/env bash
# go test, uncached; a hang is cut short, with all stacks. Arguments are passed
# on: ci/test.sh -run Close -v
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

go test -count=1 -timeout=15m "$@" ./...
