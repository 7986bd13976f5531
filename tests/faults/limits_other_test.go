//go:build !unix

package faults

import "time"

// openFiles returns how many files this process may have open, more or less.
func openFiles() int { return 4096 }

// processTime returns how long processors have worked for this process, or 0 if that is not known.
func processTime() time.Duration { return 0 }
