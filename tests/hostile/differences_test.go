package hostile

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/schema"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// maxDifferences is how long Peer.Differences may be, bytes: 16 KiB, and the line that comes
// to more.
const maxDifferences = 16<<10 + testkit.MaxErrorText + len("and more\n")

// described is what the peers below describe in other ways.
type described struct {
	ID    uint64
	At    []described
	Name  string
	Other map[string]described
}

// descriptions are descriptions of messages that a peer may send, in the form of
// docs/schema.md and in none, with a text in each place that is shown.
func descriptions(text string) (all []string) {
	name := quoteName(first(strings.ToValidUTF8(text, "?"), 190))
	long := first(strings.ToValidUTF8(text, "?"), 60_000)
	return append(all,
		"msgpack\nmessage described\nstruct described\n ID uint64\n "+name+" string\n",
		"msgpack\nmessage described\nstruct described\n ID uint64\n At []described alias "+name+"\n Name string\n",
		"msgpack\nmessage described\nstruct described\n ID opaque("+name+")\n Name opaque("+name+")\n",
		"msgpack\nmessage described\nstruct described\n ID string\n "+name+" string\n",
		name+"\nmessage described\nstruct described\n ID uint64\n Name string\n",
		"msgpack\nmessage "+name+"\n",
		"msgpack\nmessage union\nunion union\n 1 "+name+" uint64\n",
		"msgpack "+first(text, 100)+"\nmessage described\nstruct described\n ID uint64\n",
		long+"\n", "msgpack\n"+long+"\n", "msgpack\nmessage described\nstruct described\n ID "+long+"\n",
		"msgpack\nmessage described\nstruct described\n "+long+"\n",
	)
}

// quoteName quotes a name in the way of docs/schema.md.
func quoteName(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteRune('\\')
			b.WriteRune(r)
		case r < ' ' || r >= 0x7f && r <= 0x9f || r == '\u2028' || r == '\u2029':
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String() + `"`
}

// What is shown of a peer's description, where the ends can talk and where they cannot.
func TestDescriptionsGiveExcerpts(t *testing.T) {
	log := new(testkit.LogCheck)
	p := qsocket.Protocol[described]{Name: "described/1"}
	shown, refused := 0, 0
	for _, text := range testkit.HostileTexts {
		for i, description := range descriptions(text) {
			what := fmt.Sprintf("description %d of %.20q", i, text)
			hello := wholeHello(mustMsgpack(map[string]any{
				"proto": "described/1", "codec": "msgpack", "max": 1 << 20,
				"types": schema.Fingerprint(description), "desc": len(description),
			}))
			for rest := description; rest != ""; {
				n := min(len(rest), 4095)
				hello = append(append(binary.BigEndian.AppendUint32(hello, 1<<31|uint32(1+n)), 0x80), rest[:n]...)
				rest = rest[n:]
			}
			na, nb := testkit.NetPair(t, "tcp")
			go speak(na, hello)
			c, err := qsocket.NewConn(context.Background(), nb, p, &qsocket.Options{Logger: log.Logger()})
			checkError(t, what, err)
			if err != nil {
				refused++
				continue
			}
			differences := c.Peer().Differences
			if len(differences) > maxDifferences {
				t.Errorf("%s: %d bytes of Differences", what, len(differences))
			}
			for line := range strings.Lines(differences) {
				shown++
				if fault := testkit.TextFault(strings.TrimSuffix(line, "\n"), testkit.MaxErrorText); fault != "" {
					t.Errorf("%s: %s", what, fault)
				}
			}
			testkit.End(c)
		}
	}
	if shown == 0 || refused == 0 {
		t.Errorf("%d lines of differences, and %d refused, want some", shown, refused)
	}
	checkLog(t, log)
}
