package schema

import "context"

// Limits of which tests make sure.
const (
	MaxSteps  = maxSteps
	MaxPart   = maxPart
	MaxListed = maxListed
)

// Steps returns how many Compare takes.
func Steps(local, peer *Schema) int {
	c := newComparer(context.Background())
	c.run(local, peer)
	return c.steps
}
