// Package python has the tests of the client in Python beside it.
package python
