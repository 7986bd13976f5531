// Package orderpb is the message of the benchmark as protoc generates it.
package orderpb

//go:generate bash generate.sh
