package session

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// redialing is a server that echoes, and what Redial needs to get there.
func redialing(t *testing.T, opts *qsocket.Options) (network *qsockettest.Listener, dials *int) {
	t.Helper()
	network = qsockettest.Listen(address)
	ln, err := qsocket.NewListener(network, protocol, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { testkit.EndListener(ln) })
	go ln.Serve(context.Background(), func(ctx context.Context, c *qsocket.Conn[int]) {
		for v, err := range c.All(ctx) {
			if err != nil || c.Send(ctx, v) != nil {
				return
			}
		}
	})
	dials = new(int)
	opts.DialContext = func(ctx context.Context, nw, addr string) (net.Conn, error) {
		*dials++
		return network.DialContext(ctx, nw, addr)
	}
	return network, dials
}

// Redial goes on after errors, with pauses that grow and begin anew after a connection that has lasted.
func TestRedialGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []int
		opts := &qsocket.Options{Backoff: func(failures int) time.Duration {
			asked = append(asked, failures)
			return time.Duration(failures) * time.Second
		}}
		_, dials := redialing(t, opts)
		calls := 0
		start := time.Now()
		err := qsocket.Redial(t.Context(), "tcp", address, protocol, opts, func(ctx context.Context, c *qsocket.Conn[int]) error {
			calls++
			if err := c.Send(ctx, calls); err != nil {
				return err
			}
			if got, err := c.Recv(ctx); got != calls || err != nil {
				t.Errorf("got %d, %v", got, err)
			}
			switch calls {
			case 3:
				time.Sleep(time.Minute)
			case 5:
				return nil
			}
			return errors.New("again")
		})
		if err != nil || calls != 5 || *dials != 5 {
			t.Errorf("%v after %d calls and %d dials", err, calls, *dials)
		}
		// Pauses of 1 and 2 s, a minute, and again of 1 and 2.
		if took := time.Since(start); took != time.Minute+6*time.Second {
			t.Errorf("it took %v; asked for the pause after %v failures", took, asked)
		}
	})
}

// What would come again ends it, and nothing else does.
func TestRedialEnds(t *testing.T) {
	own := errors.New("own")
	for name, c := range map[string]struct {
		change func(*qsocket.Protocol[int], *qsocket.Options, *qsockettest.Listener)
		use    func(ctx context.Context, c *qsocket.Conn[int]) error
		want   func(error) bool
		dials  int
	}{
		"Permanent": {
			use:   func(context.Context, *qsocket.Conn[int]) error { return qsocket.Permanent(own) },
			want:  func(err error) bool { return err == own },
			dials: 1,
		},
		"another protocol": {
			change: func(p *qsocket.Protocol[int], _ *qsocket.Options, _ *qsockettest.Listener) { p.Name = "other/1" },
			want: func(err error) bool {
				var he *qsocket.HandshakeError
				return errors.As(err, &he) && he.Field == "proto"
			},
			dials: 1,
		},
		"Options that cannot work": {
			change: func(_ *qsocket.Protocol[int], o *qsocket.Options, _ *qsockettest.Listener) { o.MaxFrame = -1 },
			want:   func(err error) bool { return err != nil },
		},
		"nobody listens, until ctx ends": {
			change: func(_ *qsocket.Protocol[int], _ *qsocket.Options, l *qsockettest.Listener) { l.Close() },
			want:   func(err error) bool { return errors.Is(err, context.DeadlineExceeded) },
			dials:  60,
		},
		"use ends with ctx": {
			use: func(ctx context.Context, c *qsocket.Conn[int]) error {
				_, err := c.Recv(ctx)
				return err
			},
			want:  func(err error) bool { return errors.Is(err, context.DeadlineExceeded) },
			dials: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				opts := &qsocket.Options{Backoff: func(int) time.Duration { return time.Second }}
				network, dials := redialing(t, opts)
				p := protocol
				if c.change != nil {
					c.change(&p, opts, network)
				}
				use := c.use
				if use == nil {
					use = func(context.Context, *qsocket.Conn[int]) error {
						t.Error("use was called")
						return nil
					}
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute-time.Millisecond)
				defer cancel()
				if err := qsocket.Redial(ctx, "tcp", address, p, opts, use); !c.want(err) || *dials != c.dials {
					t.Errorf("got %v after %d dials, want %d", err, *dials, c.dials)
				}
			})
		})
	}
	if qsocket.Permanent(nil) != nil {
		t.Error("Permanent(nil) is not nil")
	}
	if err := qsocket.Permanent(own); !errors.Is(err, own) || err.Error() != "own" {
		t.Errorf("got %v", err)
	}
}

// A certificate that is not to be trusted is for good, also in the words of package x509 alone, as callbacks of a tls.Config return it.
func TestUntrustedIsFinal(t *testing.T) {
	for _, cause := range []error{
		x509.UnknownAuthorityError{}, x509.HostnameError{Certificate: new(x509.Certificate)}, x509.CertificateInvalidError{}, x509.SystemRootsError{},
		x509.UnhandledCriticalExtension{}, x509.InsecureAlgorithmError(x509.MD5WithRSA), x509.ConstraintViolationError{},
		&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}},
	} {
		synctest.Test(t, func(t *testing.T) {
			untrusted := fmt.Errorf("in between: %w", cause)
			dials := 0
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			err := qsocket.Redial(ctx, "tcp", address, protocol, &qsocket.Options{DialContext: func(context.Context, string, string) (net.Conn, error) {
				dials++
				return nil, untrusted
			}}, func(context.Context, *qsocket.Conn[int]) error { return nil })
			if !errors.Is(err, untrusted) || dials != 1 {
				t.Errorf("Redial: %v after %d dials", err, dials)
			}

			k := newKit(t, serverOptions())
			copts := k.clientOptions()
			dial := copts.DialContext
			copts.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				if k.dials() > 0 {
					return nil, untrusted
				}
				return dial(ctx, network, address)
			}
			client, _ := k.pair(copts)
			k.cut()
			<-client.Done()
			if err := client.Err(); !errors.Is(err, untrusted) {
				t.Errorf("session: %v", err)
			}
		})
	}
}
