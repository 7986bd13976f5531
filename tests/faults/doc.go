// Package faults has tests of what connections do when something goes wrong:
// peers that are silent, slow, hostile or gone, cut and corrupted streams, too
// little memory, too few descriptors. The tests named TestFault are the cases of
// docs/reliability.md, by number; ci/faults.sh runs them and prints what they
// have measured.
package faults
