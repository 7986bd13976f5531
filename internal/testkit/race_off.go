//go:build !race

package testkit

// RaceEnabled tells that the tests run under the race detector.
const RaceEnabled = false
