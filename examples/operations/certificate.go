package operations

import (
	"crypto/tls"
	"sync/atomic"
)

// certificate is read anew when load is called: by a timer, or on a signal. Its get is the
// GetCertificate of a tls.Config.
type certificate struct {
	current atomic.Pointer[tls.Certificate]
}

func (c *certificate) load(certFile, keyFile string) error {
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return err // the one that there was stays
	}
	c.current.Store(&pair)
	return nil
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return c.current.Load(), nil
}
