package qsocket

import (
	"context"
	"errors"
	"time"
)

// Redial dials and calls use with the Conn, again and again until use returns nil: for programs that
// begin anew on each connection, and need no session. It closes the Conn when use returns. Messages that were on their way when
// a connection was lost are lost.
//
// A use that returns nil has done what there is to do: where the peer's clean end is no reason to stop, return an error for it.
//
// Options.HandshakeTimeout bounds each Dial. After an error of use or of Dial it waits for Options.Backoff, and dials again; the count of failures begins anew
// after a connection that has lasted for 15 s. It returns
//   - nil when use has;
//   - ctx's error when ctx ends, to which use's ctx belongs;
//   - an error that use has wrapped with [Permanent], without that wrapping;
//   - an error that would come again: a [*HandshakeError] that is Final, a certificate that cannot be
//     verified, Options or a Protocol that cannot work.
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
		timer := time.NewTimer(set.Backoff(failures))
		if failures == 0 {
			timer.Reset(0) // nothing has failed
		}
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

// Permanent makes an error of use, in [Redial], one after which it does not dial again. Redial
// returns err itself. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }
