#!/usr/bin/env bash
# Fails if gofmt would change a file, in nested modules as well.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

unformatted=$(gofmt -l .)
if [[ -n $unformatted ]]; then
	printf 'gofmt -w these files:\n%s\n' "$unformatted" >&2
	exit 1
fi
