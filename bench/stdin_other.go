//go:build !unix

package main

import "os"

// waitingStdin returns the standard input.
func waitingStdin() *os.File { return os.Stdin }
