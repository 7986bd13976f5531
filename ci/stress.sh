#!/usr/bin/env bash
# Looks for flaky tests: all of them, COUNT times, shuffled, under the race
# detector. Not part of .ci/run.
#
#	ci/stress.sh [COUNT] [go test flags]    COUNT: 20
set -euo pipefail

exec bash "$(dirname "${BASH_SOURCE[0]}")/race.sh" -shuffle=on -timeout=0 -count="${1:-20}" "${@:2}"
