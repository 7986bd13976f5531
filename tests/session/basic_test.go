package session

import (
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fb9bb4ed/qsocket"
)

// A session that loses its connections loses nothing else.
func TestSessionSurvivesCuts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, serverOptions())
		client, server := k.pair(nil)
		next := 1
		for range 20 {
			send(t, client, next, next+9)
			send(t, server, next, next+9)
			k.cut()
			send(t, client, next+10, next+19)
			send(t, server, next+10, next+19)
			expect(t, server, next, next+19)
			expect(t, client, next, next+19)
			next += 20
		}
		if err := client.Sync(t.Context()); err != nil {
			t.Error(err)
		}
		if err := server.Sync(t.Context()); err != nil {
			t.Error(err)
		}
		if got := client.Stats(); got.Resumes != 20 || got.MessagesSent != 400 || got.MessagesReceived != 400 || got.Unacknowledged != 0 {
			t.Errorf("got %+v", got)
		}
		if err := client.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		<-server.Done()
		if err := server.Err(); err != nil {
			t.Error(err)
		}
		if _, err := server.Recv(t.Context()); err != io.EOF {
			t.Errorf("got %v, want io.EOF", err)
		}
	})
}

// A client that stays away is lost, and both ends have what was not taken.
func TestSessionExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := serverOptions()
		opts.SessionExpiry = time.Minute
		k := newKit(t, opts)
		client, server := k.pair(nil)
		send(t, client, 1, 5)
		expect(t, server, 1, 5)
		if err := client.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		_ = k.network.Close()
		k.cut()
		synctest.Wait()
		send(t, client, 6, 8)
		<-server.Done()
		<-client.Done()
		for _, s := range []*qsocket.Session[int]{client, server} {
			if !errors.Is(s.Err(), qsocket.ErrSessionLost) {
				t.Errorf("got %v, want ErrSessionLost", s.Err())
			}
		}
		next := 6
		for v, perhaps := range client.Unacknowledged() {
			if v != next || perhaps {
				t.Errorf("got %d, %v, want %d, false", v, perhaps, next)
			}
			next++
		}
		if next != 9 {
			t.Errorf("unacknowledged up to %d, want 8", next-1)
		}
	})
}
