package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// Sentence by sentence, what docs/wire.md says of the map of a hello.
func TestHelloMap(t *testing.T) {
	for _, test := range testkit.Hellos {
		t.Run(test.Name, func(t *testing.T) {
			nc, peer := testkit.NetPair(t, "tcp")
			failed := testkit.Async(func() error {
				c, err := qsocket.NewConn(context.Background(), nc, testkit.Named, nil)
				if err == nil {
					testkit.End(c)
				}
				return err
			})
			s := testkit.WirePeer{T: t, Conn: peer}
			s.ExpectHello()
			if _, err := io.WriteString(s, test.Bytes); err != nil {
				t.Fatal(err)
			}
			broken := strings.Contains(test.Want, "the connection ended") // else what has come suffices to tell
			if test.Field == "" || broken {
				s.Conn.(*net.TCPConn).CloseWrite()
			}
			if test.Field != "" { // the peer is told the reason, or nothing if it would not understand
				told, _ := io.ReadAll(s)
				g, err := goodbyeOf(told)
				silent := broken || test.Field == "magic"
				if silent && len(told) > 0 || !silent && (err != nil || !g.Full || !strings.Contains(g.Reason, test.Want)) {
					t.Errorf("the peer was told %q (%v)", told, err)
				}
			}
			s.Close()
			err := testkit.Result(t, "NewConn", failed)
			if err != nil && (strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "ssss")) {
				t.Errorf("the value of an attribute is in the error: %v", err)
			}
			var he *qsocket.HandshakeError
			switch {
			case test.Field == "":
				if err != nil {
					t.Errorf("got %v, want it to be taken", err)
				}
			case !errors.As(err, &he) || he.Field != test.Field || !strings.Contains(err.Error(), test.Want):
				t.Errorf("got %v, want field %s and: %s", err, test.Field, test.Want)
			}
		})
	}
}

// goodbyeOf reads the only frame there is.
func goodbyeOf(frame []byte) (wire.Goodbye, error) {
	if len(frame) < 5 || binary.BigEndian.Uint32(frame) != 1<<31|uint32(len(frame)-4) || frame[4] != wire.KindGoodbye {
		return wire.Goodbye{}, errors.New("no goodbye")
	}
	return wire.ParseGoodbye(frame[5:])
}

// The same of the map of a goodbye.
func TestGoodbyeMap(t *testing.T) {
	for _, test := range testkit.Goodbyes {
		t.Run(test.Name, func(t *testing.T) {
			c, s := testkit.Scripted(t, nil)
			frame := string(binary.BigEndian.AppendUint32(nil, 1<<31|uint32(len(test.Bytes)+1))) + "\x01" + test.Bytes
			if _, err := io.WriteString(s, frame); err != nil {
				t.Fatal(err)
			}
			_, err := c.Recv(testkit.Context(t))
			switch {
			case test.Want == "":
				if err != io.EOF {
					t.Errorf("got %v, want io.EOF", err)
				}
			case !errors.Is(err, qsocket.ErrProtocol) || !strings.Contains(err.Error(), test.Want):
				t.Errorf("got %v, want ErrProtocol and: %s", err, test.Want)
			}
		})
	}
}

// A name that no hello may have is an error of the constructors, and the longest ones fit.
func TestNamesOfHello(t *testing.T) {
	long := strings.Repeat("n", 1024)
	for _, test := range []struct {
		name, proto, codec string
		ok                 bool
	}{
		{"the longest", long, long, true},
		{"proto too long", long + "n", "text", false},
		{"codec too long", "text/1", long + "n", false},
		{"proto not UTF-8", "\xff", "text", false},
		{"codec not UTF-8", "text/1", "\xff", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := qsocket.Protocol[string]{Name: test.proto, Codec: renamed{testkit.TextCodec, test.codec}}
			a, b, err := qsocket.Pipe(p, nil)
			if (err == nil) != test.ok {
				t.Errorf("Pipe: got %v", err)
			}
			if err == nil {
				testkit.End(a)
				testkit.End(b)
			}
			if test.ok {
				return
			}
			nc, peer := testkit.NetPair(t, "tcp")
			if _, err := qsocket.NewConn(context.Background(), nc, p, nil); err == nil {
				t.Error("NewConn: got no error")
			}
			if sent, err := io.ReadAll(peer); len(sent) > 0 || err != nil {
				t.Errorf("NewConn sent %q, %v", sent, err)
			}
			if ln, err := qsocket.Listen("tcp", "127.0.0.1:0", p, nil); err == nil {
				ln.Close()
				t.Error("Listen: got no error")
			}
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			if _, err := qsocket.Dial(testkit.Context(t), "tcp", ln.Addr().String(), p, nil); err == nil {
				t.Error("Dial: got no error")
			}
		})
	}
}

// renamed is a codec under another name.
type renamed struct {
	qsocket.Codec[string]
	name string
}

func (r renamed) Name() string { return r.name }
