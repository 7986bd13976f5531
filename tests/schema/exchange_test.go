package schema

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/schema"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// Versions of a message.
type (
	typesOld struct {
		ID    uint64
		Price float64
		Legs  []typesLeg
	}
	typesLeg struct{ Qty int }

	typesAdded struct {
		ID    uint64
		Price float64
		Venue string
		Legs  []typesLeg
	}
	typesPrice struct {
		ID    uint64
		Price string
		Legs  []typesLeg
	}
	typesLegs struct {
		ID    uint64
		Price float64
		Legs  []struct{ Qty string }
	}
)

// shake returns the peers as two ends with the same name see each other, or
// their errors.
func shake[T, U any](t *testing.T, transport string, ct qsocket.Codec[T], cu qsocket.Codec[U]) (pa, pb qsocket.Peer, errA, errB error) {
	t.Helper()
	na, nb := testkit.NetPair(t, transport)
	type result struct {
		peer qsocket.Peer
		err  error
	}
	other := testkit.Async(func() result {
		b, err := qsocket.NewConn(context.Background(), nb, qsocket.Protocol[U]{Name: "types/1", Codec: cu}, nil)
		if err != nil {
			return result{err: err}
		}
		defer testkit.End(b)
		return result{peer: b.Peer()}
	})
	a, errA := qsocket.NewConn(context.Background(), na, qsocket.Protocol[T]{Name: "types/1", Codec: ct}, nil)
	if errA == nil {
		pa = a.Peer()
		defer testkit.End(a)
	}
	r := <-other
	return pa, r.peer, errA, r.err
}

func TestTypesInTheHello(t *testing.T) {
	old := qsocket.Msgpack[typesOld]()
	testkit.ForTransports(t, testkit.Transports, func(t *testing.T, transport string) {
		pa, pb, errA, errB := shake(t, transport, old, old)
		if errA != nil || errB != nil || len(pa.Types) != 32 || pa.Types != pb.Types || pa.Differences+pb.Differences != "" {
			t.Errorf("the same types: got %+v, %v and %+v, %v", pa, errA, pb, errB)
		}

		pa, pb, errA, errB = shake(t, transport, old, qsocket.Msgpack[typesAdded]())
		if errA != nil || errB != nil || pa.Types == pb.Types {
			t.Errorf("a field more: got %+v, %v and %+v, %v", pa, errA, pb, errB)
		}
		if want := "Venue is only at the peer: it is skipped"; !strings.Contains(pa.Differences, want) {
			t.Errorf("a field more at the peer: got %q, want: %s", pa.Differences, want)
		}
		if want := "Venue is only here"; !strings.Contains(pb.Differences, want) {
			t.Errorf("a field more here: got %q, want: %s", pb.Differences, want)
		}
	})
}

// typesSide is an enumeration that has got a text.
type typesSide int

func (s typesSide) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "side %d", int(s)), nil }
func (s *typesSide) UnmarshalText(text []byte) error {
	_, err := fmt.Sscanf(string(text), "side %d", (*int)(s))
	return err
}

// A type that encodes itself at one end only does not break the handshake, as its methods might
// keep to the form, but the difference says what is to be expected.
func TestTypesThatGetMethods(t *testing.T) {
	type newer = struct{ Side typesSide }
	type older = struct{ Side int }
	for name, shaken := range map[string]func() (pa, pb qsocket.Peer, errA, errB error){
		"msgpack": func() (pa, pb qsocket.Peer, errA, errB error) {
			return shake(t, "pipe", qsocket.Msgpack[newer](), qsocket.Msgpack[older]())
		},
		"json": func() (pa, pb qsocket.Peer, errA, errB error) {
			return shake(t, "pipe", qsocket.JSON[newer](), qsocket.JSON[older]())
		},
	} {
		pa, pb, errA, errB := shaken()
		if errA != nil || errB != nil {
			t.Errorf("%s: got %v and %v, want a connection", name, errA, errB)
		}
		for _, peer := range []qsocket.Peer{pa, pb} {
			if !strings.Contains(peer.Differences, "Side is ") || !strings.Contains(peer.Differences, "loses values") {
				t.Errorf("%s: got %q, want it to say that values are lost", name, peer.Differences)
			}
		}
	}
	if _, err := qsocket.Msgpack[older]().NewDecoder().Decode(encoded(t, newer{1})); err == nil {
		t.Error("a value got across: then nothing is lost")
	}
}

func encoded[T any](t *testing.T, v T) []byte {
	p, err := qsocket.Msgpack[T]().NewEncoder().Append(nil, v)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTypesDoNotMatch(t *testing.T) {
	old := qsocket.Msgpack[typesOld]()
	testkit.ForTransports(t, testkit.Transports, func(t *testing.T, transport string) {
		for name, test := range map[string]struct {
			shake       func() (pa, pb qsocket.Peer, errA, errB error)
			local, peer string
		}{
			"a field": {func() (pa, pb qsocket.Peer, errA, errB error) {
				return shake(t, transport, old, qsocket.Msgpack[typesPrice]())
			}, "Price float64", "Price string"},
			"a field in a slice": {func() (pa, pb qsocket.Peer, errA, errB error) {
				return shake(t, transport, old, qsocket.Msgpack[typesLegs]())
			}, "Legs[].Qty int", "Legs[].Qty string"},
			"strict": {func() (pa, pb qsocket.Peer, errA, errB error) {
				return shake(t, transport, qsocket.Msgpack[typesOld](qsocket.DisallowUnknownFields()), qsocket.Msgpack[typesAdded]())
			}, "no message.Venue", "message.Venue string"},
			"in a union": {func() (pa, pb qsocket.Peer, errA, errB error) {
				return shake(t, transport,
					qsocket.Union(qsocket.Case[any](1, qsocket.Msgpack[typesLeg]()), qsocket.Case[any](2, old)),
					qsocket.Union(qsocket.Case[any](1, qsocket.Msgpack[typesLeg]()), qsocket.Case[any](2, qsocket.Msgpack[typesPrice]())))
			}, "Price float64", "Price string"},
			"gob": {func() (pa, pb qsocket.Peer, errA, errB error) {
				return shake(t, transport, qsocket.Gob[typesOld](), qsocket.Gob[typesPrice]())
			}, "Price float64", "Price string"},
		} {
			_, _, errA, errB := test.shake()
			var a, b *qsocket.HandshakeError
			if !errors.As(errA, &a) || !errors.As(errB, &b) {
				t.Errorf("%s: got %v and %v, want HandshakeErrors", name, errA, errB)
				continue
			}
			if a.Field != "types" || !strings.HasSuffix(a.Local, test.local) || !strings.HasSuffix(a.Peer, test.peer) {
				t.Errorf("%s: got %+v, want %s and %s", name, a, test.local, test.peer)
			}
			if b.Field != "types" || b.Local != a.Peer || b.Peer != a.Local {
				t.Errorf("%s: the other end got %+v, this one %+v", name, b, a)
			}
		}
	})
}

// wideSchema has more fields than fit into one control frame.
func wideSchema(n int) string {
	var b strings.Builder
	b.WriteString("wide\nmessage Wide\nstruct Wide\n")
	for i := range n {
		fmt.Fprintf(&b, " Field%d string\n", i)
	}
	return b.String()
}

// toldCodec tells any schema of itself.
type toldCodec struct {
	qsocket.Codec[string]
	text string
}

func (c toldCodec) Schema() string { return c.text }

func TestLongSchemas(t *testing.T) {
	for _, transport := range []string{"tcp", "pipe"} {
		pa, pb, errA, errB := shake(t, transport, qsocket.Codec[string](toldCodec{testkit.TextCodec, wideSchema(2000)}), qsocket.Codec[string](toldCodec{testkit.TextCodec, wideSchema(2001)}))
		if errA != nil || errB != nil || !strings.Contains(pa.Differences, "Wide.Field2000 is only at the peer") || !strings.Contains(pb.Differences, "Wide.Field2000 is only here") {
			t.Errorf("%s: got %+v, %v and %+v, %v", transport, pa, errA, pb, errB)
		}
	}
	// One that is too long is not told.
	pa, pb, errA, errB := shake(t, "tcp", qsocket.Codec[string](toldCodec{testkit.TextCodec, wideSchema(10_000)}), qsocket.Codec[string](toldCodec{testkit.TextCodec, wideSchema(1)}))
	if errA != nil || errB != nil || pa.Types == "" || pb.Types != "" || pa.Differences+pb.Differences != "" {
		t.Errorf("got %+v, %v and %+v, %v", pa, errA, pb, errB)
	}
	// One in a form that is not known is no reason to part.
	pa, _, errA, errB = shake(t, "tcp", qsocket.Codec[string](toldCodec{testkit.TextCodec, wideSchema(1)}), qsocket.Codec[string](toldCodec{testkit.TextCodec, "a later form"}))
	if errA != nil || !strings.Contains(pa.Differences, "not understood") {
		t.Errorf("got %+v, %v and %v", pa, errA, errB)
	}
}

// What a peer may send where its description is expected.
func TestMalformedDescription(t *testing.T) {
	text := wideSchema(300) // two control frames
	frame := func(kind byte, s string) string {
		b := binary.BigEndian.AppendUint32(nil, 1<<31|uint32(len(s)+1))
		return string(append(b, kind)) + s
	}
	parts := func(size int) (all string) {
		for rest := text; rest != ""; {
			n := min(len(rest), size)
			all += frame(0x80, rest[:n])
			rest = rest[n:]
		}
		return all
	}
	needed := (len(text) + 4094) / 4095
	fewest := (len(text) + needed + 63) / (needed + 64) // the shortest parts that are still few enough
	for _, test := range []struct{ name, words, want string }{
		{"a message", "\x00\x00\x00\x00\x80", "a frame that begins with 00 00 00 00 80"},
		{"a heartbeat", frame(2, ""), "a frame that begins with 80 00 00 01 02"},
		{"a goodbye without a reason", frame(1, "\x80"), "a goodbye without a reason"},
		{"a goodbye that is none", frame(1, "\x91"), "goodbye"},
		{"another extension", frame(0x81, text[:100]), "a frame that begins with 80 00 00 65 81"},
		{"no kind", "\x80\x00\x00\x00\x80", "a frame that begins with 80 00 00 00 80"},
		{"a long part", frame(0x80, text[:4096]), "control frame of 4097 bytes"},
		{"too many bytes", frame(0x80, text[:4000]) + frame(0x80, text), "control frame of"},
		{"one byte too many", frame(0x80, text[:4000]) + frame(0x80, text[4000:]+"x"), "control frame of"},
		{"none at all", "", "the connection ended"},
		{"half of it", frame(0x80, text[:4000]), "the connection ended"},
		{"an empty part first", frame(0x80, "") + parts(4095), "control frame of 1 bytes"},
		{"an empty part behind one", frame(0x80, text[:10]) + frame(0x80, ""), "control frame of 1 bytes"},
		{"parts of a byte", parts(1), "in more parts than that needs, and 64"},
		{"one part too many", parts(fewest - 1), "in more parts than that needs, and 64"},
		{"another text", frame(0x80, strings.Repeat("x", 4095)) + frame(0x80, strings.Repeat("x", len(text)-4095)), "one whose fingerprint is"},
		{"another letter", strings.Replace(parts(4095), "Field1 ", "Field_ ", 1), "one whose fingerprint is"},
		{"whole", parts(4095), ""},
		{"in as many parts as may be", parts(fewest), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			nc, peer := testkit.NetPair(t, "tcp")
			p := qsocket.Protocol[string]{Name: "text/1", Codec: toldCodec{testkit.TextCodec, wideSchema(1)}}
			failed := testkit.Async(func() error {
				c, err := qsocket.NewConn(context.Background(), nc, p, nil)
				if err == nil {
					testkit.End(c)
				}
				return err
			})
			s := testkit.WirePeer{T: t, Conn: peer}
			s.ExpectHello()
			body := "\x85\xa5proto\xa6text/1\xa5codec\xa4text\xa3max\x01\xa5types\xd9\x20" + schema.Fingerprint(text) + "\xa4desc\xcd" + string(binary.BigEndian.AppendUint16(nil, uint16(len(text))))
			hello := "QSK\x01" + string(binary.BigEndian.AppendUint32(nil, uint32(len(body)))) + body
			if _, err := peer.Write([]byte(hello + test.words)); err != nil {
				t.Fatal(err)
			}
			peer.(*net.TCPConn).CloseWrite()
			err := testkit.Result(t, "NewConn", failed)
			var he *qsocket.HandshakeError
			switch {
			case test.want == "":
				if err != nil {
					t.Errorf("got %v, want it to be taken", err)
				}
			case !errors.As(err, &he) || he.Field != "hello" || !strings.Contains(err.Error(), test.want):
				t.Errorf("got %v, want: %s", err, test.want)
			}
		})
	}
}

// The codecs of the package that know what they send say so.
func TestProtocolSchema(t *testing.T) {
	if got := (qsocket.Protocol[typesOld]{}).Schema(); !strings.Contains(got, " Price float64\n") {
		t.Errorf("got %q", got)
	}
	if got := testkit.Text.Schema(); got != "" {
		t.Errorf("Stateless: got %q, want nothing", got)
	}
	got := qsocket.Protocol[testkit.Event]{Codec: testkit.UnionOf(qsocket.Msgpack[testkit.Placed](), qsocket.Gob[*testkit.Filled](), qsocket.JSON[testkit.Reason]())}.Schema()
	want := `union(msgpack,gob,json) closed
message Event
union Event
 1 msgpack Placed
 2 gob Filled
 300 json string name-reason
struct Placed
 ID uint64
 Symbol string
struct Filled
 ID uint64
 Legs []int
 Price float64
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
