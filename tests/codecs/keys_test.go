package codecs

import (
	"encoding"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// Types of keys whose texts are not what encoding/json takes for them everywhere.
type (
	loudKey   string // has its text in capitals
	markedKey string // has a mark before it
	numberKey int    // only reads a text
	plainKey  string // is its text
)

func (k loudKey) MarshalText() ([]byte, error)   { return []byte(strings.ToUpper(string(k))), nil }
func (k *loudKey) UnmarshalText(b []byte) error  { *k = loudKey(strings.ToLower(string(b))); return nil }
func (k markedKey) MarshalText() ([]byte, error) { return []byte("#" + k), nil }

func (k *markedKey) UnmarshalText(b []byte) error {
	s, ok := strings.CutPrefix(string(b), "#")
	if *k = markedKey(s); !ok {
		return fmt.Errorf("%q has no mark", b)
	}
	return nil
}

func (k *numberKey) UnmarshalText(b []byte) error { *k = numberKey(len(b)); return nil }
func (k plainKey) MarshalText() ([]byte, error)   { return []byte(k), nil }
func (k *plainKey) UnmarshalText(b []byte) error  { *k = plainKey(b); return nil }

// Keys arrive as they are or are refused, whichever of their methods a version of Go asks.
func TestKeysWithMethods(t *testing.T) {
	for _, codec := range []string{"msgpack", "json", "gob"} {
		arrivesOrNot(t, codec, map[loudKey]int{"a": 1}, true)
		arrivesOrNot(t, codec, map[loudKey]int{"a": 1, "A": 2}, codec == "gob")
		if codec != "msgpack" { // where it is the affair of the methods
			arrivesOrNot(t, codec, map[loudKey]int{"A": 1}, codec == "gob")
			arrivesOrNot(t, codec, []map[loudKey]int{{}, {"ab": 1, "cd": 2}, {"aB": 1}}, codec == "gob")
		}
		arrivesOrNot(t, codec, map[markedKey]int{"": 1, "a": 2}, codec != "json")
		arrivesOrNot(t, codec, map[numberKey]int{1: 1}, codec == "gob")
		arrivesOrNot(t, codec, map[numberKey]int{7: 1}, codec == "gob")
		arrivesOrNot(t, codec, map[plainKey]int{"a": 1, "A": 2, "": 3}, true)
		arrivesOrNot(t, codec, struct{ M map[string]map[plainKey]bool }{map[string]map[plainKey]bool{"x": {"y": true}}}, true)
	}
}

// arrivesOrNot fails the test if v is accepted and another value arrives; or if must and it is refused.
func arrivesOrNot[T any](t *testing.T, codec string, v T, must bool) {
	t.Helper()
	c := map[string]qsocket.Codec[T]{"msgpack": qsocket.Msgpack[T](), "json": qsocket.JSON[T](), "gob": qsocket.Gob[T]()}[codec]
	err := testkit.Unfit(c)
	var payload []byte
	if err == nil {
		payload, err = c.NewEncoder().Append(nil, v)
	}
	if err != nil {
		if must {
			t.Errorf("%s of %v: %v", codec, v, err)
		}
		return
	}
	got, err := c.NewDecoder().Decode(payload)
	if err != nil {
		t.Errorf("%s of %v: it was accepted, but the receiver says: %v", codec, v, err)
	} else if !reflect.DeepEqual(got, v) && !(codec == "gob" && fmt.Sprint(got) == fmt.Sprint(v)) {
		t.Errorf("%s of %v: arrives as %v", codec, v, got)
	}
}

// A map in an interface arrives with strings as keys, of which no method makes another.
func TestKeysInInterfacesAreStrings(t *testing.T) {
	arrivesAs := func(v, want any) {
		t.Helper()
		c := qsocket.JSON[any]()
		p, err := c.NewEncoder().Append(nil, v)
		if err != nil {
			t.Errorf("%v: %v", v, err)
			return
		}
		if got, err := c.NewDecoder().Decode(p); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v: got %v, %v, want %v", v, got, err, want)
		}
	}
	arrivesAs([]any{map[numberKey]bool{7: true}}, []any{map[string]any{"7": true}})
	arrivesAs(map[plainKey]bool{"a": true}, map[string]any{"a": true})
}

// In an interface whose methods a time.Time has, that arrives and nothing else does, though
// these methods encode all that it can hold.
func TestMsgpackInterfaceWithTheMethodsOfCodecs(t *testing.T) {
	type message struct {
		Text   encoding.TextMarshaler
		Binary []encoding.BinaryMarshaler
	}
	c := qsocket.Msgpack[message]()
	enc, dec := c.NewEncoder(), c.NewDecoder()
	at := time.Unix(5, 6)
	for _, v := range []message{{Text: plainKey("a")}, {Text: color(1)}, {Binary: []encoding.BinaryMarshaler{at, netip.MustParseAddr("::1")}}} {
		if p, err := enc.Append(nil, v); err == nil {
			_, err = dec.Decode(p)
			t.Errorf("%v is accepted; the receiver says %v", v, err)
		}
	}
	p, err := enc.Append(nil, message{Text: at, Binary: []encoding.BinaryMarshaler{nil, at}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := dec.Decode(p)
	if err != nil || len(got.Binary) != 2 || got.Binary[0] != nil || fmt.Sprint(got.Text, got.Binary[1]) != fmt.Sprint(at, at) {
		t.Errorf("got %v, %v", got, err)
	}
}
