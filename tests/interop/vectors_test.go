package interop

import "testing"

// The implementation in JavaScript takes and says what docs/wire-vectors.json wants.
func TestNodeVectors(t *testing.T) {
	cmd := node("--test", "--test-reporter=tap", "vectors.test.js")(t)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("node --test: %v\n%s", err, out)
	}
}
