#!/usr/bin/env bash
# Runs the examples that end by themselves; the others are run by their tests.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

go run ./examples/ledger
go run ./examples/orders
go run ./examples/tokens
