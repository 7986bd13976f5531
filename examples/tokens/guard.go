package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"

	"github.com/fb9bb4ed/qsocket"
)

// What a client tells, and what the guard makes of it.
const (
	tokenAttribute = "token" // from the client; deleted before the handler sees it
	userAttribute  = "user"  // from the guard: whose token it is
	keyAttribute   = "key"   // from the guard: the hash of the token, by which it is revoked
)

// guard knows the tokens that are valid, by their hashes, and the connections that
// each of them has let in. A user may have several, so that a new one can be given out before
// the old one is taken back.
type guard struct {
	mu    sync.Mutex
	users map[string]string // by the hash of their token, in hex
	conns map[*qsocket.Conn[string]]string
}

// load reads the tokens that are valid from a file, which has a hash and a user in each line, and
// ends the connections whose token is not among them. Admit is asked when a client connects, and
// never again: without this a revoked token would be good for as long as its connection.
func (g *guard) load(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	users := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		key, user, ok := strings.Cut(strings.TrimSpace(line), " ")
		if b, err := hex.DecodeString(key); !ok || err != nil || len(b) != sha256.Size {
			return fmt.Errorf("%s: want the hash of a token and a user in each line", path)
		}
		users[key] = user
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.users = users
	for conn, key := range g.conns {
		if users[key] == "" {
			go conn.CloseWithCode(qsocket.CodeRefused, "the token has been revoked") // ends within CloseTimeout
		}
	}
	return nil
}

// admit is the Options.Admit of the server. It looks at all tokens, and at each for as long
// as it takes to compare two hashes, so the time it takes tells nothing about any of them. What a
// client with a wrong one is told is the same as without any.
func (g *guard) admit(_ context.Context, _ qsocket.Peer, attributes map[string]string, _ net.Conn) error {
	key := keyOf(attributes[tokenAttribute])
	clear(attributes) // the rest is the client's word: it might call itself a user
	g.mu.Lock()
	defer g.mu.Unlock()
	for valid, user := range g.users {
		if subtle.ConstantTimeCompare([]byte(valid), []byte(key)) == 1 {
			attributes[userAttribute], attributes[keyAttribute] = user, key
		}
	}
	if attributes[userAttribute] == "" {
		return qsocket.Refuse("no valid token")
	}
	return nil
}

// enter notes that conn has been let in. It returns false if its token has been revoked since.
func (g *guard) enter(conn *qsocket.Conn[string]) bool {
	key := conn.PeerAttributes()[keyAttribute]
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.users[key] == "" {
		return false
	}
	if g.conns == nil {
		g.conns = make(map[*qsocket.Conn[string]]string)
	}
	g.conns[conn] = key
	return true
}

func (g *guard) leave(conn *qsocket.Conn[string]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, conn)
}

// keyOf is how the server keeps a token: a random one of 16 bytes or more needs no slower hash.
func keyOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
