package address_test

import (
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/address"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct{ in, want, err string }{
		{"localhost:7070", "tcp://localhost:7070", ""},
		{"tcp://[::1]:7070", "tcp://[::1]:7070", ""},
		{"tcp://:7070", "tcp://:7070", ""},
		{"tls://orders.test:443", "tls://orders.test:443", ""},
		{"unix:///run/orders.sock", "unix:///run/orders.sock", ""},
		{"unix://relative", "unix://relative", ""},
		{"", "", "is not tcp://host:port"},
		{"localhost", "", "is not tcp://host:port"},
		{"tls://localhost:", "", "is not tls://host:port"},
		{"tcp://::1:7070", "", "is not tcp://host:port"},
		{"unix://", "", "has no path"},
		{"http://localhost:80", "", `begins with "http://": want tcp://host:port`},
	} {
		a, err := address.Parse(tt.in)
		switch {
		case tt.err == "" && (err != nil || a.String() != tt.want):
			t.Errorf("%q: got %v, %v, want %s", tt.in, a, err, tt.want)
		case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
			t.Errorf("%q: got %v, want %q", tt.in, err, tt.err)
		}
	}
}
