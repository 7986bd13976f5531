#!/usr/bin/env bash
# Fails, with the difference, if the exported API of the root module is not what
# ci/api.txt has recorded.
#
#	ci/api.sh            compares
#	ci/api.sh -update    records
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

go run ./ci/api "$@" ci/api.txt
