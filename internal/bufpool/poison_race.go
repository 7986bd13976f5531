//go:build race

package bufpool

import "strings"

// poison: tests under the race detector find whoever looks at a buffer that it has given back.
const poison = true

// given is what such a buffer begins with.
var given = strings.Repeat("given back ", 500)
