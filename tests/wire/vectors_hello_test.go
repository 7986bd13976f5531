package wire

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/schema"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/fb9bb4ed/qsocket/qsockettest"
)

// A helloVector is how a peer begins.
type helloVector struct {
	Name    string `json:"name"`
	Hex     string `json:"hex"`
	Cut     bool   `json:"cut,omitempty"` // the stream ends behind it
	Outcome string `json:"outcome"`       // "taken", "remote", or the Field of the HandshakeError
	Told    bool   `json:"told"`          // the peer gets a goodbye with a reason
}

// handshake plays a peer that begins with these bytes, and returns how the library takes it.
func handshake[T any](t *testing.T, p qsocket.Protocol[T], name string, begins []byte, cut bool) (v helloVector) {
	t.Helper()
	v = helloVector{Name: name, Hex: hex.EncodeToString(begins), Cut: cut, Outcome: "taken"}
	synctest.Test(t, func(t *testing.T) {
		nc, peer := qsockettest.NetPipe()
		defer peer.Close()
		if _, err := peer.Write(begins); err != nil {
			t.Fatal(err)
		}
		if cut {
			peer.CloseWrite()
		}
		var e eavesdropper
		go e.listen(peer) // until the Conn or peer is closed
		c, err := qsocket.NewConn(context.Background(), nc, p, nil)
		var refused *qsocket.HandshakeError
		var told *qsocket.RemoteError
		switch {
		case err == nil:
			testkit.End(c)
			return
		case errors.As(err, &refused):
			v.Outcome = refused.Field
		case errors.As(err, &told):
			v.Outcome = "remote"
		default:
			t.Errorf("%s: got %v, want a HandshakeError", name, err)
			return
		}
		synctest.Wait()
		said, _ := e.take()
		v.Told = bytes.Contains(said, []byte("\xa6reason"))
	})
	return v
}

// helloVectors are peers of an end of the protocol text/1.
func helloVectors(t *testing.T) (list []helloVector) {
	for _, c := range testkit.Hellos {
		v := handshake(t, testkit.Named, c.Name, []byte(c.Bytes), strings.Contains(c.Want, "the connection ended"))
		if want := cmpOr(c.Field, "taken"); v.Outcome != want {
			t.Errorf("%s: got %s, want %s", c.Name, v.Outcome, want)
		}
		list = append(list, v)
	}
	return list
}

func cmpOr(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// A descriptionVector is a text, and the frames in which it goes.
type descriptionVector struct {
	Name        string `json:"name"`
	Text        string `json:"text"`
	Fingerprint string `json:"fingerprint"`
	Frames      string `json:"frames"`
}

func descriptionVectors() (list []descriptionVector) {
	wide := "msgpack\nmessage Wide\nstruct Wide\n"
	for i := 0; len(wide) < 10_000; i++ {
		wide += fmt.Sprintf(" Field%d map[string][]*time\n", i)
	}
	for _, d := range []descriptionVector{
		{Name: "of a tick", Text: ticks.Schema()},
		{Name: "of the payloads", Text: sampleSchema()},
		{Name: "in three parts", Text: wide},
	} {
		d.Fingerprint, d.Frames = schema.Fingerprint(d.Text), hex.EncodeToString(parts(d.Text, 4095))
		list = append(list, d)
	}
	return list
}

// parts are the frames of a description, each with size bytes of it at most.
func parts(text string, size int) (b []byte) {
	for len(text) > 0 {
		n := min(size, len(text))
		b = binary.BigEndian.AppendUint32(b, 1<<31|uint32(n+1))
		b = append(append(b, 0x80), text[:n]...)
		text = text[n:]
	}
	return b
}

// describing is the hello of a peer with this description.
func describing(text string, size int) []byte {
	b := fmt.Appendf(nil, "\x85\xa5proto\xa7ticks/1\xa5codec\xa7msgpack\xa3max\xce\x00\x10\x00\x00\xa5types\xd9\x20%s\xa4desc", schema.Fingerprint(text))
	b = append(b, 0xce)
	b = binary.BigEndian.AppendUint32(b, uint32(size))
	return append(binary.BigEndian.AppendUint32([]byte("QSK\x01"), uint32(len(b))), b...)
}

// exchangeVectors are peers of an end of ticks/1 that tell their types, as it does.
func exchangeVectors(t *testing.T) (list []helloVector) {
	own := ticks.Schema()
	other := strings.ReplaceAll(own, " Price float64", " Price float64\n Venue string")
	breaking := strings.ReplaceAll(own, "float64", "string")
	unknown := "msgpack\nof a later form\n"
	for _, c := range []struct {
		name string
		text string
		size int
		rest []byte
	}{
		{"the same types", own, len(own), nil},
		{"a new field", other, len(other), parts(other, 4095)},
		{"a new field, byte by byte", other, len(other), parts(other, 1)},
		{"the type of a field has changed", breaking, len(breaking), parts(breaking, 4095)},
		{"a form that is not known", unknown, len(unknown), parts(unknown, 4095)},
		{"types, but no description", other, 0, nil},
		{"another text than types says", other, len(own), parts(own, 4095)},
		{"more bytes than desc says", other, len(other) - 1, parts(other, 4095)},
		{"an empty part", other, len(other), []byte("\x80\x00\x00\x01\x80")},
		{"a message in its place", other, len(other), []byte("\x00\x00\x00\x01\x80")},
		{"a heartbeat in its place", other, len(other), testkit.Unhex(testkit.GoldenHeartbeat)},
		{"a refusal in its place", other, len(other), testkit.Unhex(testkit.GoldenReason)},
		{"a goodbye without a reason in its place", other, len(other), testkit.Unhex(testkit.GoldenFull)},
	} {
		list = append(list, handshake(t, ticks, c.name, append(describing(c.text, c.size), c.rest...), false))
	}
	long := "msgpack\n" + strings.Repeat("x", 200)
	list = append(list, handshake(t, ticks, "too many parts", append(describing(long, len(long)), parts(long, 1)...), false))
	return list
}

// A comparisonVector is what two descriptions mean to each other.
type comparisonVector struct {
	Name  string `json:"name"`
	Here  string `json:"here"`
	There string `json:"there"`
	Fits  bool   `json:"fits"`
}

func comparisonVectors(t *testing.T) (list []comparisonVector) {
	text := func(fields string) string { return "msgpack\nmessage M\nstruct M\n" + fields }
	union := func(flag, cases string) string { return "union(msgpack) " + flag + "\nmessage E\nunion E\n" + cases }
	for _, c := range []comparisonVector{
		{Name: "the name of the type", Here: text(" A int\n"), There: strings.ReplaceAll(text(" A int\n"), " M\n", " N\n")},
		{Name: "the order of fields", Here: text(" A int\n B string\n"), There: text(" B string\n A int\n")},
		{Name: "a new field", Here: text(" A int\n"), There: text(" A int\n B string\n")},
		{Name: "no field in common", Here: text(" A int\n"), There: text(" B string\n")},
		{Name: "a wider integer", Here: text(" A int32\n"), There: text(" A int64\n")},
		{Name: "an integer for text", Here: text(" A int\n"), There: text(" A string\n")},
		{Name: "an integer for a float", Here: text(" A int\n"), There: text(" A float64\n")},
		{Name: "text for bytes", Here: text(" A string\n"), There: text(" A bytes\n")},
		{Name: "time for text", Here: text(" A time\n"), There: text(" A string\n")},
		{Name: "a pointer for a value", Here: text(" A *int\n"), There: text(" A int\n")},
		{Name: "a list for a value", Here: text(" A int\n"), There: text(" A []int\n")},
		{Name: "any for text", Here: text(" A any\n"), There: text(" A string\n")},
		{Name: "opaque for text", Here: text(" A opaque(Money)\n"), There: text(" A string\n")},
		{Name: "a case that one end does not have, which is open", Here: union("open", " 1 msgpack string\n"), There: union("open", " 1 msgpack string\n 2 msgpack int\n")},
		{Name: "a case that one end does not have, which is closed", Here: union("closed", " 1 msgpack string\n"), There: union("closed", " 1 msgpack string\n 2 msgpack int\n")},
		{Name: "another message behind a tag", Here: union("open", " 1 msgpack string\n"), There: union("open", " 1 msgpack int\n")},
	} {
		here, err := schema.Parse(c.Here)
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		there, err := schema.Parse(c.There)
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		c.Fits = !slices.ContainsFunc(schema.Compare(here, there), func(d schema.Difference) bool { return d.Breaking })
		list = append(list, c)
	}
	return list
}
