package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/handshake"
	"github.com/fb9bb4ed/qsocket/internal/wire"

	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/address"
	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/greet"
)

// adviseDial adds to an error of dialing what can be done about it.
func adviseDial(ctx context.Context, a address.Address, o *peerOptions, err error) error {
	var unknownAuthority x509.UnknownAuthorityError
	var otherName x509.HostnameError
	var unknownHost *net.DNSError
	switch {
	case ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		if a.TLS {
			return fmt.Errorf("%s: no connection with TLS within %v: the host is down, a firewall drops packets, or the server speaks no TLS", a, o.Timeout)
		}
		return fmt.Errorf("%s: no connection within %v: the host is down, or a firewall drops packets", a, o.Timeout)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%s: connection refused: nothing listens there", a)
	case errors.Is(err, fs.ErrNotExist) && a.Network == "unix":
		return fmt.Errorf("%s: there is no such socket", a)
	case errors.As(err, &unknownHost) && unknownHost.IsNotFound:
		return fmt.Errorf("%s: there is no host %q", a, unknownHost.Name)
	case errors.As(err, &unknownAuthority):
		return fmt.Errorf("%s: %w; give the certificate of the authority with --ca", a, err)
	case errors.As(err, &otherName):
		return fmt.Errorf("%s: %w; give the name to expect with --servername", a, err)
	}
	return fmt.Errorf("%s: %w", a, err)
}

// advise adds to an error of the connection to a server what can be done about it.
func advise(addr string, o *peerOptions, err error) error {
	a, _ := address.Parse(addr)
	var refused *handshake.Refused
	var mismatch *wire.Mismatch
	switch {
	case errors.As(err, &refused):
		switch code := qsocket.Code(refused.Code); code {
		case qsocket.CodeFull:
			return fmt.Errorf("%s: the server is full: it has its MaxConns; try again later", a)
		case qsocket.CodeRefused:
			return fmt.Errorf("%s: not admitted: %s; what it looks at is given with --attr, or --cert and --key", a, quoted(refused.Reason))
		case 0:
			return fmt.Errorf("%s: refused: %s", a, quoted(refused.Reason))
		default:
			return fmt.Errorf("%s: ended by the server with code %d, %v: %s", a, uint16(code), code, quoted(refused.Reason))
		}
	case errors.As(err, &mismatch):
		switch mismatch.Field {
		case "proto":
			return fmt.Errorf("%s: the server's protocol is %s, and not %s: leave out --name to use it", a, quoted(mismatch.Peer), quoted(mismatch.Local))
		case "codec":
			return fmt.Errorf("%s: the server's codec is %s, and not %s: leave out --codec to use it", a, quoted(mismatch.Peer), quoted(mismatch.Local))
		case "magic":
			return fmt.Errorf("%s: no hello of qsocket: %s; a server in raw mode needs --codec or --framing", a, shown(mismatch.Peer))
		}
		return fmt.Errorf("%s: %w", a, err)
	case greet.IsSilent(err):
		if a.TLS {
			return fmt.Errorf("%s: no hello within %v: the server is at its MaxConns, or stuck, or speaks raw mode (--codec) or another protocol", a, o.Timeout)
		}
		return fmt.Errorf("%s: no hello within %v: the server is at its MaxConns, or stuck, or speaks raw mode (--codec), TLS (tls://) or another protocol", a, o.Timeout)
	}
	return fmt.Errorf("%s: %w", a, err)
}

func quoted(s string) string { return fmt.Sprintf("%q", shown(s)) }
