//go:build !linux

package qsocket_test

import "errors"

func limitHostile() error { return errors.New("no limit: only on Linux") }

func freeHostile() {}

func watchHostile() (above func() int) { return func() int { return 0 } }

// procStatus returns 0: there is no /proc/self/status.
func procStatus(string) int { return 0 }
