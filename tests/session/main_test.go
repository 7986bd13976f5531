package session

import (
	"testing"

	"github.com/fb9bb4ed/qsocket/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }
