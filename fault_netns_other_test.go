//go:build !linux

package qsocket_test

import "testing"

func blackHoleNamespace(t *testing.T) { t.Skip("needs Linux") }
