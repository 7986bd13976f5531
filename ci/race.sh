#!/usr/bin/env bash
# ci/test.sh under the race detector. Arguments are passed on.
set -euo pipefail

CGO_ENABLED=1 exec bash "$(dirname "${BASH_SOURCE[0]}")/test.sh" -race -timeout=30m "$@"
