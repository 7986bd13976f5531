//go:build unix

package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// A ctx that ends while the network connects ends Dial.
func TestDialContextWhileConnecting(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs a listener that lets clients wait when its queue is full")
	}
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer inner.Close()
	raw, err := inner.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var listenErr error
	if err := raw.Control(func(fd uintptr) { listenErr = syscall.Listen(int(fd), 0) }); err != nil || listenErr != nil {
		t.Skip("listen with an empty queue:", err, listenErr)
	}
	for i := 0; ; i++ { // fill the queue
		nc, err := net.DialTimeout("tcp", inner.Addr().String(), 50*time.Millisecond)
		if err != nil {
			break
		}
		defer nc.Close()
		if i == 10 {
			t.Skip("the queue is never full")
		}
	}
	for _, opts := range []*qsocket.Options{nil, {TLS: testkit.ClientTLS()}} {
		t.Run(fmt.Sprint("TLS=", opts != nil), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
			defer cancel()
			dialed := testkit.Async(func() error {
				_, err := qsocket.Dial(ctx, "tcp", inner.Addr().String(), testkit.Text, opts)
				return err
			})
			var oe *net.OpError
			if err := testkit.Result(t, "Dial", dialed); !errors.As(err, &oe) || !oe.Timeout() {
				t.Errorf("deadline: got %v, want a timeout of dial", err)
			}
			ctx, cancel = context.WithCancel(context.Background())
			timer := time.AfterFunc(20*time.Millisecond, cancel) // by then Dial waits for the network
			defer timer.Stop()
			dialed = testkit.Async(func() error {
				_, err := qsocket.Dial(ctx, "tcp", inner.Addr().String(), testkit.Text, opts)
				return err
			})
			if err := testkit.Result(t, "Dial", dialed); !errors.Is(err, context.Canceled) {
				t.Errorf("cancel: got %v, want context.Canceled", err)
			}
		})
	}
}
