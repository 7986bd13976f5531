#!/usr/bin/env bash
# Makes order.pb.go from order.proto. Needs protoc (package protobuf-compiler on
# Debian); the plugin is of the version that go.mod requires of the library.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

plugin=$(mktemp -d)
trap 'rm -rf "$plugin"' EXIT
go build -o "$plugin/protoc-gen-go" google.golang.org/protobuf/cmd/protoc-gen-go
protoc --plugin="$plugin/protoc-gen-go" --go_out=. --go_opt=paths=source_relative order.proto
