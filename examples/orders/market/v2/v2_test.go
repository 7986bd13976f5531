package v2_test

import (
	"testing"

	"github.com/fb9bb4ed/qsocket/examples/orders/market/v2"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

func TestProtocol(t *testing.T) { qsockettest.Golden(t, v2.Protocol) }
