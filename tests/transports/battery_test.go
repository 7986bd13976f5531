package transports_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// mode is raw or named.
type mode string

const (
	raw   mode = "raw"
	named mode = "named"
)

func (m mode) protocol() qsocket.Protocol[[]byte] {
	if m == named {
		return qsocket.Protocol[[]byte]{Name: "raw/1", Codec: testkit.RawCodec}
	}
	return testkit.Raw
}

// row is a promise. The test of it returns an error if it does not hold; what stands in the
// way of testing it ends the test.
type row struct {
	name    string
	promise string // for the document
	modes   []mode
	test    func(e *env) error
}

var (
	both      = []mode{raw, named}
	onlyNamed = []mode{named}
)

// env is a case: a row, over a kind, in a mode.
type env struct {
	*testing.T
	kind kind
	mode mode
	net  *network

	// patience is for what should happen: far beyond what it takes, also on a busy
	// machine. For what is known not to happen it is less, but more than any timeout of the case.
	patience time.Duration
}

// hang is how long a case waits for what should come at once.
const hang = 30 * time.Second

// overdue is how long it waits for what does not come. All timeouts of cases are below.
const overdue = 4 * time.Second

// conns opens a connection.
func (e *env) conns(a, b *qsocket.Options) (ca, cb *qsocket.Conn[[]byte]) {
	e.Helper()
	na, nb := e.kind.open(e, e.net)
	return testkit.WrapPair(e, na, nb, e.mode.protocol(), a, b)
}

// await returns what comes out of ch, or an error if nothing does.
func await[T any](e *env, what string, ch <-chan T) (v T, err error) {
	timer := time.NewTimer(e.patience)
	defer timer.Stop()
	select {
	case v = <-ch:
		return v, nil
	case <-timer.C:
		return v, fmt.Errorf("%s: not after %v", what, e.patience)
	}
}

// awaitError is await for what returns an error.
func awaitError(e *env, what string, f func() error) (err error) {
	err, late := await(e, what, testkit.Async(f))
	if late != nil {
		return late
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// received is the outcome of a Recv.
type received struct {
	message []byte
	err     error
}

func recv(ctx context.Context, c *qsocket.Conn[[]byte]) <-chan received {
	return testkit.Async(func() (r received) {
		r.message, r.err = c.Recv(ctx)
		return r
	})
}

// expect receives messages made by message, from that number up to another, and checks them.
func expect(e *env, c *qsocket.Conn[[]byte], from, to, size int) error {
	for i := from; i < to; i++ {
		r, err := await(e, fmt.Sprintf("message %d of %d", i, to), recv(testkit.Context(e), c))
		if err != nil {
			return err
		}
		if r.err != nil {
			return fmt.Errorf("message %d of %d: %w", i, to, r.err)
		}
		if err := check(r.message, i, size); err != nil {
			return err
		}
	}
	return nil
}

// expectEnd receives the end.
func expectEnd(e *env, c *qsocket.Conn[[]byte], want error) error {
	r, err := await(e, "the end", recv(testkit.Context(e), c))
	if err != nil {
		return err
	}
	if !errors.Is(r.err, want) {
		return fmt.Errorf("got %d bytes, %v, want %v", len(r.message), r.err, want)
	}
	return nil
}

// message makes a message that says which one it is, in each of its bytes.
func message(number, size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(number + i + i>>8 + i>>16)
	}
	return b
}

func check(got []byte, number, size int) error {
	if len(got) != size {
		return fmt.Errorf("message %d has %d bytes, want %d", number, len(got), size)
	}
	for i, c := range got {
		if c != byte(number+i+i>>8+i>>16) {
			return fmt.Errorf("message %d differs at byte %d of %d", number, i, size)
		}
	}
	return nil
}

// sendAll sends messages with numbers from to up to.
func sendAll(c *qsocket.Conn[[]byte], from, to, size int) error {
	for i := from; i < to; i++ {
		if err := c.Send(context.Background(), message(i, size)); err != nil {
			return fmt.Errorf("send message %d: %w", i, err)
		}
	}
	return nil
}

// fill sends until nothing more is taken, and nothing goes out either: on a busy machine what
// takes the bytes may only be late. times is how often in a row it has to be so.
func fill(e *env, c *qsocket.Conn[[]byte], times int) {
	e.Helper()
	var flushes uint64
	for start, refused := time.Now(), 0; time.Since(start) < hang; {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		err := c.Send(ctx, make([]byte, 64<<10))
		cancel()
		now := c.Stats().Flushes
		switch {
		case err != nil && err != context.DeadlineExceeded:
			e.Fatalf("fill: %v", err)
		case err == nil || now != flushes:
			refused, flushes = 0, now
		default:
			refused++
		}
		if refused == times {
			return
		}
	}
	e.Fatal("fill: the peer takes everything")
}

// TestBattery tests every promise over every transport. A promise with an exception must not
// hold, or the exception is no longer one.
func TestBattery(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			for _, r := range rows {
				for _, m := range r.modes {
					t.Run(r.name+"/"+string(m), func(t *testing.T) {
						t.Parallel()
						runCase(t, k, r, m)
					})
				}
			}
		})
	}
}

func runCase(t *testing.T, k kind, r row, m mode) {
	x := exceptionFor(k, r, m)
	e := &env{T: t, kind: k, mode: m, net: newNetwork(t, strings.HasPrefix(r.name, "silence")), patience: hang}
	if x != nil {
		e.patience = overdue
	}
	err := r.test(e)
	switch {
	case err != nil && x == nil:
		t.Error(err)
	case err == nil && x != nil && !x.sometimes:
		t.Errorf("holds, but is an exception: %s", x.reason)
	case err != nil:
		t.Logf("as said (%s): %v", x.reason, err)
	}
}
