package interop

import "testing"

// The implementation in JavaScript takes and says what docs/wire-vectors.json wants, and @msgpack/msgpack does what docs/interop.md says.
func TestNode(t *testing.T) {
	cmd := node("--test", "--test-reporter=tap")(t)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("node --test: %v\n%s", err, out)
	}
}
