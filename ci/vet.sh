#!/usr/bin/env bash
# go vet. Takes a module's directory; default: the root module.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cd "${1:-.}"

go vet ./...
