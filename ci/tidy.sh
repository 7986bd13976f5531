#!/usr/bin/env bash
# Fails, with the difference, if go.mod or go.sum is not what go mod tidy would
# write. Takes a module's directory; default: the root module.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cd "${1:-.}"

go mod tidy -diff
