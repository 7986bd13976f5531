package qsockettest

import "errors"

// Plan 9 has no numbers for them.
var (
	errReset        = errors.New("connection reset by peer")
	errBrokenPipe   = errors.New("broken pipe")
	errNotConnected = errors.New("transport endpoint is not connected")
	errRefused      = errors.New("connection refused")
	errInUse        = errors.New("address already in use")
)
