// Package echo is what the two programs below it agree on.
package echo

import "github.com/fb9bb4ed/qsocket"

// Protocol carries lines of text, and back.
var Protocol = qsocket.Protocol[string]{Name: "echo/1"}
