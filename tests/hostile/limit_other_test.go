//go:build !linux

package hostile

import "errors"

func limitHostile() error { return errors.New("no limit: only on Linux") }

func freeHostile() {}

func watchHostile() (above func() int) { return func() int { return 0 } }
