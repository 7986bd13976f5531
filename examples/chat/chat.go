// Package chat is what the server and the clients of a chat room agree on: the messages that go
// back and forth, and what a client shows at the door.
//
//	echo "$(openssl rand -hex 16) ann" >tokens      # a token and a name in each line
//	go run ./examples/chat/server -tokens tokens &
//	TOKEN=$(cut -d' ' -f1 tokens) go run ./examples/chat/client
//
// A line goes to those who are at the server then, and is kept nowhere. One that is under way when a
// connection fails may be lost.
//
// What is where: the server in room and server, the client, which stays connected, in client.
package chat

import "github.com/fb9bb4ed/qsocket"

// Message is what travels: one of the types below.
type Message interface{ isMessage() }

// Say is the only message of a client: a line for all others. The server knows whose it is.
type Say struct{ Text string }

// Here is the first message of the server: the names of all who are in the room, in
// alphabetical order. A client that has come back starts again from there.
type Here struct{ Names []string }

// What the server sends after that. A name has joined once, with however many
// connections, and has left when the last of them is gone.
type (
	Joined struct{ Name string }
	Left   struct{ Name string }
	Said   struct{ Name, Text string }
)

func (Say) isMessage()    {}
func (Here) isMessage()   {}
func (Joined) isMessage() {}
func (Left) isMessage()   {}
func (Said) isMessage()   {}

// Protocol is spoken by both ends.
var Protocol = qsocket.Protocol[Message]{
	Name: "chat/1",
	Codec: qsocket.Union(
		qsocket.Case[Message](1, qsocket.Msgpack[Say]()),
		qsocket.Case[Message](2, qsocket.Msgpack[Here]()),
		qsocket.Case[Message](3, qsocket.Msgpack[Joined]()),
		qsocket.Case[Message](4, qsocket.Msgpack[Left]()),
		qsocket.Case[Message](5, qsocket.Msgpack[Said]()),
		qsocket.SkipUnknown[Message](), // what a newer peer sends besides
	),
}

// MaxText is how long a line may be, bytes.
const MaxText = 2000
