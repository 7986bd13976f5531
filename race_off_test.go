//go:build !race

package qsocket_test

const raceEnabled = false
