//go:build !linux

// Command peercred needs Linux.
package main

import "log"

func main() {
	log.Fatal("peercred: Linux only: other systems have other calls to ask for a peer's credentials")
}
