package chat

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/fb9bb4ed/qsocket"
)

const (
	tokenAttribute = "token" // from the client; deleted before the room sees it
	nameAttribute  = "name"  // from the Door: whose token it is
)

// Show returns the Options.Attributes of a client with that token. It goes to whoever listens at the
// address: over anything but loopback set Options.TLS as well.
func Show(token string) func(context.Context) (map[string]string, error) {
	return func(context.Context) (map[string]string, error) {
		return map[string]string{tokenAttribute: token}, nil
	}
}

// Door knows who may come in: names, by the hashes of their tokens. For tokens that change
// while a server runs see examples/tokens.
type Door map[[sha256.Size]byte]string

// OpenDoor makes a Door of a file with a token and a name in each line.
func OpenDoor(path string) (Door, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	door := make(Door)
	for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		token, name, found := strings.Cut(strings.TrimSpace(line), " ")
		if !found {
			return nil, fmt.Errorf("%s:%d: want a token and a name", path, i+1)
		}
		door[sha256.Sum256([]byte(token))] = name
	}
	return door, nil
}

// Admit is the Options.Admit of the server. It compares with all tokens, and hashes only, so the time it takes
// tells nothing about any of them.
func (d Door) Admit(_ context.Context, _ qsocket.Peer, attributes map[string]string, _ net.Conn) error {
	shown := sha256.Sum256([]byte(attributes[tokenAttribute]))
	clear(attributes) // the rest is the client's word: it might call itself somebody
	for hash, name := range d {
		if subtle.ConstantTimeCompare(hash[:], shown[:]) == 1 {
			attributes[nameAttribute] = name
		}
	}
	if attributes[nameAttribute] == "" {
		return qsocket.Refuse("no valid token")
	}
	return nil
}

// Name says who is at the other end of a connection that Admit has let in.
func Name(conn *qsocket.Conn[Message]) string { return conn.PeerAttributes()[nameAttribute] }
