package qsocket

import (
	"context"
	"errors"
	"time"
)

// Redial dials and calls use with the Conn, again and again until use returns nil: for programs that
// begin anew on each connection, and need no session. It closes the Conn when use returns, as
// [Conn.Close] does. Messages that were on their way when a connection was lost are lost.
//
// A use that returns nil has done what there is to do: where the peer's clean end is no reason to
// stop, return an error for it.
//
// Redial dials at once, and after an error of use or of Dial again, after a pause by
// Options.Backoff. Options.HandshakeTimeout bounds each Dial. It returns
//   - nil when use has;
//   - ctx's error when ctx has ended, whatever use or Dial returned besides; use gets that ctx;
//   - the error that was given to [Permanent], which use or Options.DialContext has returned;
//   - an error of Dial that would come again: a [*HandshakeError] that is Final, a certificate that
//     cannot be verified (*tls.CertificateVerificationError, or an error of package crypto/x509),
//     Options or a Protocol that cannot work.
func Redial[T any](ctx context.Context, network, address string, p Protocol[T], opts *Options, use func(context.Context, *Conn[T]) error) error {
	set, err := checked(p, opts)
	switch {
	case err != nil:
		return err
	case use == nil:
		return errors.New("qsocket: Redial without a function that uses the Conn")
	case set.DialContext == nil:
		if err := checkNetwork(network); err != nil {
			return err
		}
	}
	for failures := 0; ; failures++ {
		wait := time.Duration(0)
		if failures > 0 {
			wait = set.Backoff(failures)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
		lasted, err := useOnce(ctx, set.HandshakeTimeout, network, address, p, opts, use)
		var permanent *permanentError
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &permanent):
			return permanent.err
		case lasted == 0 && isHopeless(err):
			return err
		case lasted > maxBackoff:
			failures = 0
		}
	}
}

// useOnce dials, within that time, and calls use once. lasted is 0 if there was no connection.
func useOnce[T any](ctx context.Context, within time.Duration, network, address string, p Protocol[T], opts *Options, use func(context.Context, *Conn[T]) error) (lasted time.Duration, err error) {
	dialing, cancel := context.WithTimeout(ctx, within)
	c, err := Dial(dialing, network, address, p, opts)
	cancel()
	if err != nil {
		return 0, err
	}
	defer c.Close()
	start := time.Now()
	err = use(ctx, c)
	return max(time.Since(start), 1), err
}

// isHopeless reports whether a Dial that has failed with err would fail again.
func isHopeless(err error) bool {
	var he *HandshakeError
	return errors.As(err, &he) && he.Final() || isVerification(err)
}

// Permanent makes an error of use, or of Options.DialContext, one after which [Redial] does not dial
// again. Redial returns err itself, without what may be wrapped around the result of Permanent.
// A session ends with such an error of the function that dials. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }
