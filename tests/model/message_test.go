package model

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/fb9bb4ed/qsocket"
)

// message tells who sent it and when, so that its receiver can say whether it
// should have come.
type message struct {
	Sender int // the actor
	Seq    int // counts what the actor tried to send, refused messages included
	Pad    string
}

// id is what is unique about a message of one end.
type id struct{ sender, seq int }

func (m *message) id() id { return id{m.Sender, m.Seq} }

// newMessage makes a message with that much padding. Below 0 it is one that no
// codec but gob encodes: it is not UTF-8.
func newMessage(sender, seq, size int) message {
	m := message{Sender: sender, Seq: seq, Pad: "\xff"}
	if size >= 0 {
		m.Pad = strings.Repeat(string(rune('a'+(7*sender+seq)%26)), size)
	}
	return m
}

// overhead is more than what any codec adds to the padding, gob's types included.
const overhead = 200

var codecs = map[string]qsocket.Codec[message]{
	"text":    qsocket.Stateless("text", marshalText, unmarshalText),
	"gob":     qsocket.Gob[message](),
	"msgpack": qsocket.Msgpack[message](),
}

func marshalText(m message) ([]byte, error) {
	if m.Pad == "\xff" {
		return nil, errors.New("not UTF-8")
	}
	return fmt.Appendf(nil, "%d %d %s", m.Sender, m.Seq, m.Pad), nil
}

func unmarshalText(b []byte, m *message) error {
	numbers, pad, _ := bytes.Cut(b, []byte(" "))
	seq, pad, ok := bytes.Cut(pad, []byte(" "))
	if !ok {
		return errors.New("want two numbers and the padding")
	}
	if _, err := fmt.Sscanf(string(numbers)+" "+string(seq), "%d %d", &m.Sender, &m.Seq); err != nil {
		return err
	}
	m.Pad = string(pad)
	return nil
}
