#!/usr/bin/env bash
# Runs every benchmark of the root module.
#
#	ci/bench.sh [BENCHTIME] [go test flags]    BENCHTIME: 1x, so that none of them rots
#	ci/bench.sh 200ms -count=6 | tee bench.txt
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

go test -run='^$' -bench=. -benchtime="${1:-1x}" "${@:2}" .
