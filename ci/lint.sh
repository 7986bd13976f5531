#!/usr/bin/env bash
# staticcheck, pinned. Takes a module's directory; default: the root module.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cd "${1:-.}"

go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...
