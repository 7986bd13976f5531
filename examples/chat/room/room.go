// Package room is the server's side of a chat: who is in the room, and what goes to whom.
package room

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/examples/chat"
)

const (
	patience = 10 * time.Second      // with clients that stay when the server stops
	pace     = 20 * time.Millisecond // from one line of a client to its next
)

// Serve has a room for the clients that door lets in, until ctx ends. Then it drains: the clients
// learn it, finish what they say, and go to the next server.
func Serve(ctx context.Context, nl net.Listener, door chat.Door, logger *slog.Logger) error {
	ln, err := qsocket.NewListener(nl, chat.Protocol, &qsocket.Options{
		Admit:      door.Admit,
		SendBuffer: 64 << 10, // how far a client may be behind before it is dropped
		Logger:     logger,
	})
	if err != nil {
		return err
	}
	r := room{
		log:     logger,
		members: qsocket.NewGroup(chat.Protocol, qsocket.Disconnect), // one that does not read must not hold up the others
		present: make(map[string]int),
	}
	served := make(chan error, 1)
	go func() { served <- ln.Serve(context.WithoutCancel(ctx), r.handle) }() // ends after Drain
	select {
	case err := <-served:
		return err // accepting has failed for good
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	return errors.Join(ln.Drain(ending, "the server stops"), <-served)
}

type room struct {
	log     *slog.Logger
	members *qsocket.Group[chat.Message]

	// mu is held for each Broadcast, which never waits under Disconnect: so all members get
	// everything in the same order.
	mu      sync.Mutex
	present map[string]int // connections by name
}

// handle serves one client. Serve closes conn when it returns.
func (r *room) handle(ctx context.Context, conn *qsocket.Conn[chat.Message]) {
	name := chat.Name(conn)
	r.enter(ctx, conn, name)
	defer r.leave(ctx, conn, name)
	for m, err := range conn.All(ctx) { // until the client has ended
		if err != nil {
			return // it is in the log
		}
		say, ok := m.(chat.Say)
		if !ok || len(say.Text) > chat.MaxText {
			conn.CloseWithCode(qsocket.CodeBadMessage, fmt.Sprintf("want lines of at most %d bytes and nothing else", chat.MaxText))
			return
		}
		r.mu.Lock()
		r.members.BroadcastExcept(ctx, chat.Said{Name: name, Text: say.Text}, conn)
		r.mu.Unlock()
		time.Sleep(pace) // meanwhile it is held up: one that says much does not make others slow readers
	}
}

func (r *room) enter(ctx context.Context, conn *qsocket.Conn[chat.Message], name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.present[name]++
	if r.present[name] == 1 {
		r.members.Broadcast(ctx, chat.Joined{Name: name})
	}
	r.log.Info("entered", "name", name, "from", conn.RemoteAddr())
	if sent, _ := conn.TrySend(chat.Here{Names: slices.Sorted(maps.Keys(r.present))}); sent {
		r.members.Add(conn) // after that: Here is the first that it gets
	}
}

func (r *room) leave(ctx context.Context, conn *qsocket.Conn[chat.Message], name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.members.Remove(conn)
	if r.present[name]--; r.present[name] > 0 {
		return // it is here with another connection: it has come back before the loss of this one was noticed
	}
	delete(r.present, name)
	select {
	case <-conn.GoingAway(): // it is on its way to the next server, as all are
	default:
		r.members.Broadcast(ctx, chat.Left{Name: name})
	}
}
