package qsocket_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// bulky takes 40 times as many bytes in memory as on the wire.
type bulky struct {
	N string
	_ [110]int64
}

type bulkyUnion interface{ isBulky() }

type bulkyList []bulky

func (bulkyList) isBulky() {}

// UnmarshalBinary makes a bulky of each byte: of what it does the library knows nothing.
func (l *bulkyBinary) UnmarshalBinary(b []byte) error { *l = make(bulkyBinary, 8*len(b)); return nil }
func (l bulkyBinary) AppendBinary(b []byte) ([]byte, error) {
	return append(b, make([]byte, len(l)/8)...), nil
}

type bulkyBinary []byte

func bulkyOf(bytes int) bulkyList {
	l := make(bulkyList, bytes/900)
	for i := range l {
		l[i].N = strings.Repeat("x", 20)
	}
	return l
}

// What waits in Messages is bounded in bytes: by DecodedBuffer, or it is one message.
func TestDecodedBuffer(t *testing.T) {
	if testkit.RaceEnabled {
		t.Skip("the race detector needs memory of its own; run without -race")
	}
	const mib = 1 << 20
	for _, size := range []struct{ message, limit int }{
		{100 << 10, 5 * mib},
		{1 * mib, 6 * mib},
		{4 * mib, 8 * mib},
		{20 * mib, 24 * mib},
	} {
		t.Run(fmt.Sprintf("%d KiB", size.message>>10), func(t *testing.T) {
			list := bulkyOf(size.message)
			boundWaiting(t, qsocket.Msgpack[bulkyList](), list, size.limit)
			boundWaiting(t, qsocket.Msgpack[any](), any(anyList(size.message)), size.limit)
			boundWaiting(t, qsocket.Gob[bulkyList](), list, size.limit)
			boundWaiting(t, qsocket.JSON[bulkyList](), list, 2*size.limit) // encoding/json makes slices up to twice as large
			boundWaiting(t, qsocket.Union(qsocket.Case[bulkyUnion](1, qsocket.Msgpack[bulkyList]())), bulkyUnion(list), size.limit)
			if size.message > 6*mib {
				return // than MaxFrame allows
			}
			boundWaiting(t, qsocket.Binary[bulkyBinary](), make(bulkyBinary, size.message), size.limit)
			if size.message <= mib {
				boundWaiting(t, testkit.RawCodec, make([]byte, size.message-100), size.limit)
				boundWaiting(t, qsocket.Msgpack[string](), strings.Repeat("x", size.message-100), size.limit)
			}
		})
	}
}

// anyList is a []any of about so many bytes in memory.
func anyList(bytes int) []any {
	l := make([]any, bytes/27)
	for i := range l {
		l[i] = int32(1 << 20)
	}
	return l
}

// boundWaiting sends 30 messages to an end that has called Messages and does not
// receive.
func boundWaiting[T any](t *testing.T, codec qsocket.Codec[T], v T, limit int) {
	name := codec.Name() + " of " + fmt.Sprintf("%T", *new(T))
	enc := codec.NewEncoder()
	var frames [2][]byte // the first message, and all others
	for i := range frames {
		payload, err := enc.Append(nil, v)
		if err != nil {
			t.Fatal(err)
		}
		frames[i] = append(binary.BigEndian.AppendUint32(nil, uint32(len(payload))), payload...)
	}
	testkit.ForTransports(t, testkit.KernelTransports, func(t *testing.T, transport string) {
		ctx := testkit.Context(t)
		if transport != "tcp" && (codec.Name() != "msgpack" || limit > 8<<20) {
			t.Skip("what waits does not depend on the transport")
		}
		na, nb := testkit.NetPair(t, transport)
		made := testkit.Async(func() error { // TLS needs both ends
			_, err := na.Write(frames[0])
			return err
		})
		c, err := qsocket.NewConn(ctx, nb, qsocket.Protocol[T]{Codec: codec}, &qsocket.Options{MaxFrame: 8 << 20})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Recv(ctx); err != nil { // so that what is made once is there
			t.Fatal(err)
		}
		if err := testkit.Result(t, "the first message", made); err != nil {
			t.Fatal(err)
		}
		before := testkit.LiveHeap()
		c.Messages()
		flood := testkit.Async(func() error {
			for range 29 {
				if _, err := na.Write(frames[1]); err != nil {
					return err
				}
			}
			return nil
		})
		got := int64(0)
		for same := 0; same < 3; { // until the reader waits for its consumer
			last := got
			if got = testkit.HeapPer(1, before); got != last {
				same = 0
			}
			same++
		}
		t.Logf("%s: %d messages in %d KiB", name, len(c.Messages()), got>>10)
		if got > int64(limit) {
			t.Errorf("%s: %d KiB wait, want at most %d", name, got>>10, limit>>10)
		}
		// Nothing is lost, and no message waits for ever.
		for i := range 29 {
			select {
			case _, ok := <-c.Messages():
				if !ok {
					t.Fatalf("%s: message %d: %v", name, i, c.Err())
				}
			case <-ctx.Done():
				t.Fatalf("%s: message %d does not come", name, i)
			}
		}
		if err := testkit.Result(t, "the flood", flood); err != nil {
			t.Error(err)
		}
		runtime.KeepAlive(c)
		testkit.End(c)
	})
}

// While the memory of what waits has no space, the reader looks again after a millisecond,
// and after a fiftieth of the time that it has waited. Close does not wait for it.
func TestDecodedBufferInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		a, b, err := qsocket.Pipe(testkit.Raw, &qsocket.Options{DecodedBuffer: 1000})
		if err != nil {
			t.Fatal(err)
		}
		defer testkit.End(a)
		sent := testkit.Async(func() error {
			for range 6 {
				if err := a.Send(ctx, make([]byte, 600)); err != nil {
					return err
				}
			}
			return nil
		})
		messages := b.Messages()
		synctest.Wait()
		for _, waited := range []time.Duration{time.Second, time.Minute} {
			time.Sleep(waited)
			synctest.Wait()
			if n := len(messages); n != 1 {
				t.Fatalf("%d messages of 600 bytes wait, want 1 in 1,000 bytes", n)
			}
			<-messages
			start := time.Now()
			<-messages
			if late, most := time.Since(start), min(waited/50, 250*time.Millisecond); late > most {
				t.Errorf("the next message came %v later, want at most %v", late, most)
			}
		}
		if n := len(messages); n > 1 {
			t.Fatalf("%d messages of 600 bytes wait, want 1", n)
		}
		start := time.Now()
		testkit.End(b)
		if took := time.Since(start); took > 0 {
			t.Errorf("the end took %v", took)
		}
		<-sent
	})
}
