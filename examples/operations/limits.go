package operations

import (
	"time"

	"github.com/fb9bb4ed/qsocket"
)

// strangers may connect from anywhere. With TLS, and an Admit or certificates.
var strangers = qsocket.Options{
	MaxConns:         10_000,
	MaxHandshakes:    200,
	HandshakeTimeout: 5 * time.Second,
	MaxFrame:         64 << 10,
	RecvQueue:        4,
	DecodedBuffer:    256 << 10,
	SendBuffer:       64 << 10,
	FrameTimeout:     10 * time.Second,
	WriteTimeout:     30 * time.Second,
}

// friends are services of one's own, which do no harm on purpose.
var friends = qsocket.Options{
	MaxConns:     1_000,           // a loop that dials and never closes
	MaxFrame:     16 << 20,        // the largest message there is
	WriteTimeout: 2 * time.Minute, // a consumer that is stuck, but says that it is alive
}
