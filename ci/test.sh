#!/usr/bin/env bash
# go test, uncached, without vet, which ci/vet.sh is; a hang is cut short, with all stacks. Arguments are passed
# on: ci/test.sh -run Close -v
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

go test -vet=off -count=1 -timeout=15m "$@" ./...
