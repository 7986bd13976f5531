// Package codecs has a test of what all codecs promise together: whatever Send accepts, the
// receiver gets.
package codecs
