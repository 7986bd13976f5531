package value_test

import (
	"bufio"
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"

	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/value"
)

// target is a codec with what the library's own decoder says of a payload.
type target struct {
	codec *value.Codec
	takes func(payload []byte) error // nil: nothing to compare with
}

func targetOf[T any](t testing.TB, codec qsocket.Codec[T]) target {
	return target{codecOf(t, codec), func(payload []byte) error {
		_, err := codec.NewDecoder().Decode(payload)
		return err
	}}
}

// all has every field that a struct of the other tests has.
type all struct {
	Numbers  numbers
	Texts    texts
	Pointers pointers
	Lists    lists
	Maps     maps
	Keys     keys
	AnyKeys  anyKeys
	Times    times
	Node     node
	Loose    loose
	Tuple    *tuple
	S        string
	B        []byte
	N        uint8
	M        map[string]any
	L        [][]int
}

func targets(t testing.TB) []target {
	bare := func(name string) target {
		c, err := value.New(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		return target{codec: c}
	}
	return []target{
		targetOf(t, qsocket.Msgpack[all]()),
		targetOf(t, qsocket.Msgpack[node]()),
		targetOf(t, qsocket.Msgpack[all](qsocket.AllowInvalidUTF8())),
		targetOf(t, events()),
		bare("msgpack"), bare("json"), bare("union(msgpack)"), bare("gob"),
		targetOf(t, qsocket.JSON[node]()),
	}
}

// corpus returns the payloads of a file of tests/hostile, but for those that are large.
func corpus(t testing.TB, path string) (payloads [][]byte) {
	t.Helper()
	f, err := os.Open("../../../../tests/hostile/testdata/" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		cols := strings.Split(lines.Text(), "|")
		if len(cols) != 4 || strings.HasPrefix(cols[0], "#") {
			continue
		}
		payload, err := testkit.RepeatedHex(cols[2])
		if err != nil {
			t.Fatalf("%s: %v", cols[0], err)
		}
		payloads = append(payloads, payload)
	}
	if len(payloads) == 0 {
		t.Fatalf("%s has no cases", path)
	}
	return payloads
}

// checkDecode checks what Decode makes of payload. A text has a payload that has the same text.
func checkDecode(t *testing.T, to target, payload []byte) {
	text, err := to.codec.Decode(nil, payload)
	if err != nil {
		if fault := testkit.ErrorFault(err); fault != "" {
			t.Errorf("an error has %s", fault)
		}
		return
	}
	if most := 64*len(payload) + 64<<10; len(text) > most+6*len(payload) { // the last string is written whole
		t.Fatalf("a text of %d bytes of a payload of %d", len(text), len(payload))
	}
	checkText(t, text)
	again, err := to.codec.Append(nil, text)
	if err != nil {
		// In JSON all fields are shown as they are.
		if strings.HasPrefix(to.codec.Name(), "json") || strings.Contains(to.codec.Name(), "json") {
			return
		}
		t.Fatalf("%s: %v", text, err)
	}
	if same, err := to.codec.Decode(nil, again); err != nil || !bytes.Equal(same, text) {
		t.Fatalf("% x has %s, and that has % x, which has %s, %v", payload, text, again, same, err)
	}
}

func FuzzDecode(f *testing.F) {
	all := targets(f)
	for _, payload := range corpus(f, "msgpack/corpus.txt") {
		if len(payload) <= 4<<10 {
			f.Add(payload)
			f.Add(append([]byte{1}, payload...)) // a case of a union
		}
	}
	for _, text := range []string{`{"V":1,"Next":null,"Kids":[{"V":2}],"Any":{"x":[1.5,"\u2028"]}}`, `"\ud800"`, `[1,]`, "\x05gob"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, to := range all {
			checkDecode(t, to, payload)
		}
	})
}

// The library takes what Append makes, but for a payload that becomes too large in Go, and what
// a type with methods refuses.
func FuzzAppend(f *testing.F) {
	all := targets(f)
	for _, text := range []string{
		`{"V":1,"Next":null,"Kids":[{"V":2}],"M":{"x":{"V":3}},"Any":{"$map":[[1,2],["$bin",{"$bin":"AA=="}]]}}`,
		`{"Numbers":{"A":-1,"J":18446744073709551615,"K":1.5,"L":{"$float64":"NaN"},"M":true},"Texts":{"A":"x","B":"AAE=","C":"AAEC"}}`,
		`{"Maps":{"A":{"x":1},"B":{"-1":"x"},"F":{"$map":[["$",null]]}},"Keys":{"A":{"$map":[[true,1]]},"C":{"$map":[[[1,2],"x"]]}},"AnyKeys":{"A":{"$map":[[1,2]]}}}`,
		`{"Times":{"A":"2026-01-02T03:04:05.678Z","B":{"$time":[1,2]}},"Tuple":{"A":1},"$unknown":{"x":{"$ext":[5,"AA=="]}}}`,
		`{"case":"placed","value":{"ID":1,"Price":2}}`, `{"case":17,"$raw":"AA=="}`, `{"$raw":"AA=="}`, `[1,1e3,"\ud83d\ude00",{"$time":"2026-01-02T03:04:05Z"},{"$float32":1}]`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, to := range all {
			payload, err := to.codec.Append(nil, text)
			if err != nil {
				if fault := testkit.ErrorFault(err); fault != "" {
					t.Errorf("an error has %s", fault)
				}
				continue
			}
			if bytes.Contains(text, []byte("raw")) || bytes.Contains(text, []byte(`\u`)) {
				continue // perhaps $raw: whatever was written is sent
			}
			if _, err := to.codec.Decode(nil, payload); err != nil {
				t.Fatalf("%s has % x: %v", text, payload, err)
			}
			if to.takes == nil {
				continue
			}
			if err := to.takes(payload); err != nil && !isExpected(err) {
				t.Fatalf("%s has % x, which the library refuses: %v", text, payload, err)
			}
		}
	})
}

// isExpected reports whether err is about what a description does not say.
func isExpected(err error) bool {
	for _, words := range []string{"MaxExpansion", "bytes of memory", "extension", "cannot be a", "nil", "no key", "a string is expected", "twice", "Unmarshal"} {
		if strings.Contains(err.Error(), words) {
			return true
		}
	}
	return false
}

// The corpora as they are, the large ones included.
func TestHostilePayloads(t *testing.T) {
	for i, to := range targets(t) {
		for _, payload := range corpus(t, "msgpack/corpus.txt") {
			if i == 0 || len(payload) < 1<<20 {
				checkDecode(t, to, payload)
			}
		}
	}
}
