//go:build !linux

package faults

import "testing"

func blackHoleNamespace(t *testing.T) { t.Skip("needs Linux") }
