#!/usr/bin/env bash
# staticcheck, pinned. Takes a module's directory; default: the root module.
#
# The checks that follow values (SA) look at each instantiation of the library, and the tests
# have hundreds: minutes, and gigabytes. So these checks are for what is no test. What go
# vet knows of tests (ci/vet.sh) is checked there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cd "${1:-.}"

staticcheck=(go run honnef.co/go/tools/cmd/staticcheck@v0.8.2)
"${staticcheck[@]}" -tests=false -checks 'inherit,-U1000' ./...
"${staticcheck[@]}" -checks 'inherit,-SA*' ./...
