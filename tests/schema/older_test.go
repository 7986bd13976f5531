package schema

import (
	"context"
	"encoding/hex"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// What a peer of before unions said whether they take unknown cases sends first, byte by byte, and
// its description.
const (
	olderHello = "51534b010000006a87a570726f746fa86576656e74732f31a5636f646563ae756e696f6e286d73677061636b29a36d6178ce00100000a26862cd3a98" +
		"a57479706573d9206139633362386139356161316437376263313336373730626566613566356433a46465736363a26e6ca40d0a0d0a"
	olderText = "union(msgpack)\nmessage Event\nunion Event\n 1 msgpack Placed\nstruct Placed\n ID uint64\n Symbol string\n"
)

// And what one of today sends, with the same case.
const (
	newerHello = "51534b010000006a87a570726f746fa86576656e74732f31a5636f646563ae756e696f6e286d73677061636b29a36d6178ce00100000a26862cd3a98" +
		"a57479706573d920"
	newerText = "union(msgpack) closed\nmessage Event\nunion Event\n 1 msgpack Placed\nstruct Placed\n ID uint64\n Symbol string\n"
)

// Such a peer and a service of today greet each other, whether that has SkipUnknown or not, and
// also if it has another case: what the peer would do with it is not known.
func TestOlderPeerOfUnion(t *testing.T) {
	placed := qsocket.Case[testkit.Event](1, qsocket.Msgpack[testkit.Placed]())
	reason := qsocket.Case[testkit.Event](5, qsocket.Msgpack[testkit.Reason]())
	skip := qsocket.SkipUnknown[testkit.Event]()
	const unknown = "case 5 is only here: the peer answers it with an error unless it has SkipUnknown or Otherwise\n"
	for name, tt := range map[string]struct {
		codec qsocket.Codec[testkit.Event]
		want  string // Differences
	}{
		"closed":              {qsocket.Union(placed), ""},
		"open":                {qsocket.Union(placed, skip), ""},
		"closed, with a case": {qsocket.Union(placed, reason), unknown},
		"open, with a case":   {qsocket.Union(placed, reason, skip), unknown},
	} {
		t.Run(name, func(t *testing.T) {
			na, peer := testkit.NetPair(t, "tcp")
			made := testkit.Async(func() *qsocket.Conn[testkit.Event] {
				c, err := qsocket.NewConn(context.Background(), na, qsocket.Protocol[testkit.Event]{Name: "events/1", Codec: tt.codec}, nil)
				if err != nil {
					t.Error(err)
				}
				return c
			})
			hello, err := hex.DecodeString(olderHello)
			if err != nil {
				t.Fatal(err)
			}
			payload := "\x01\x82\xa2ID\x07\xa6Symbol\xa1s"
			message := append([]byte{0, 0, 0, byte(len(payload))}, payload...)
			if _, err := peer.Write(append(wire.AppendControl(hello, wire.KindTypes, []byte(olderText)), message...)); err != nil {
				t.Fatal(err)
			}
			c := testkit.Result(t, "NewConn", made)
			if c == nil {
				return
			}
			defer testkit.End(c)
			if got := c.Peer().Differences; got != tt.want {
				t.Errorf("got differences %q, want %q", got, tt.want)
			}
			if m, err := c.Recv(testkit.Context(t)); err != nil || m != (testkit.Placed{ID: 7, Symbol: "s"}) {
				t.Errorf("got %v, %v", m, err)
			}
			if name != "closed" {
				return
			}
			_ = peer.SetReadDeadline(time.Now().Add(testkit.Timeout))
			want := string(testkit.Unhex(newerHello))
			got := make([]byte, len(want))
			if _, err := io.ReadFull(peer, got); err != nil || string(got) != want {
				t.Errorf("the hello of today: got %x, %v, want %x", got, err, want)
			}
		})
	}
	if got := (qsocket.Protocol[testkit.Event]{Codec: qsocket.Union(placed)}).Schema(); got != newerText {
		t.Errorf("the description of today: got\n%s\nwant\n%s", got, newerText)
	}
	if rest := strings.Replace(newerText, " closed", "", 1); rest != olderText {
		t.Errorf("they differ in more than a flag, which an older peer ignores: %q", rest)
	}
}
