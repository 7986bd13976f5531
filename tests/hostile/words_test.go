package hostile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
	"github.com/vmihailenco/msgpack/v5"
)

// words is a type whose methods say what the payload tells them to.
type words struct{ text string }

func (w words) String() string { return w.text }

func (w *words) UnmarshalBinary(b []byte) error { return hostileError(string(b)) }
func (w words) MarshalBinary() ([]byte, error)  { return nil, hostileError(w.text) }

// shownWords can be sent by codecs that send fields.
type shownWords struct{ Text string }

func (w *shownWords) String() string { return w.Text }

// hostileError returns the errors that a method may return, one kind for each text: what it
// says, what says so only when it is asked, what wraps and joins others, and what cannot be
// asked at all.
func hostileError(text string) error {
	switch len(text) % 6 {
	case 0:
		return errors.New(text)
	case 1:
		return fmt.Errorf("outer: %w", errors.Join(errors.New(text), errors.New(text)))
	case 2:
		return lateError(text)
	case 3:
		return (*nilError)(nil)
	case 4:
		return panickingError{}
	}
	return manyErrors()
}

var manyErrors = sync.OnceValue(func() error {
	many := make([]error, 5000)
	for i := range many {
		many[i] = lateError("x")
	}
	return errors.Join(many...)
})

type lateError string

func (e lateError) Error() string                { return string(e) + string(e) }
func (e lateError) MarshalText() ([]byte, error) { return []byte(e), nil } // log handlers ask for that first

// nilError has methods that a nil pointer does not survive.
type nilError struct{ err error }

func (e *nilError) Error() string   { return e.err.Error() }
func (e *nilError) Unwrap() error   { return e.err }
func (e *nilError) Is(t error) bool { return e.err == t }

type panickingError struct{}

func (panickingError) Error() string   { panic("no text") }
func (panickingError) Is(error) bool   { panic("no answer") }
func (panickingError) As(any) bool     { panic("no answer") }
func (panickingError) Unwrap() []error { panic("no answer") }

// hostilePanics are values with which a method may panic.
func hostilePanics(text string) []any {
	self := map[string]any{}
	self["self"] = self
	return []any{text, errors.New(text), lateError(text), words{text}, []byte(text), []string{text}, &struct{ S string }{text}, self, (*nilError)(nil), panickingError{}}
}

// A said is what a method of a type does instead of its work.
type said struct {
	err      error
	panicked any
}

func (s said) say() error {
	if s.panicked != nil {
		panic(s.panicked)
	}
	return s.err
}

// hostileSaying is what the methods of all the types below do. They are called by one test
// at a time.
var hostileSaying said

type (
	jsonWords     struct{ _ int }
	textWords     struct{ _ int }
	msgWords      struct{ _ int }
	v5Words       struct{ _ int }
	gobWords      struct{ _ int }
	binaryWords   struct{ _ int }
	inside[T any] struct{ List []map[string]T }
)

func (jsonWords) MarshalJSON() ([]byte, error)            { return nil, hostileSaying.say() }
func (*jsonWords) UnmarshalJSON([]byte) error             { return hostileSaying.say() }
func (textWords) MarshalText() ([]byte, error)            { return nil, hostileSaying.say() }
func (*textWords) UnmarshalText([]byte) error             { return hostileSaying.say() }
func (msgWords) MarshalMsgpack() ([]byte, error)          { return nil, hostileSaying.say() }
func (*msgWords) UnmarshalMsgpack([]byte) error           { return hostileSaying.say() }
func (v5Words) EncodeMsgpack(*msgpack.Encoder) error      { return hostileSaying.say() }
func (*v5Words) DecodeMsgpack(d *msgpack.Decoder) error   { return hostileSaying.say() }
func (gobWords) GobEncode() ([]byte, error)               { return nil, hostileSaying.say() }
func (*gobWords) GobDecode([]byte) error                  { return hostileSaying.say() }
func (binaryWords) AppendBinary(b []byte) ([]byte, error) { return nil, hostileSaying.say() }
func (binaryWords) MarshalBinary() ([]byte, error)        { return nil, hostileSaying.say() }
func (*binaryWords) UnmarshalBinary([]byte) error         { return hostileSaying.say() }

// The methods of types, on both ends, whatever they return and with whatever they panic.
func TestMethodsGiveExcerpts(t *testing.T) {
	jsonPayload, msgpackPayload, binaryPayload := []byte(`{"List":[{"k":"v"}]}`), mustMsgpack(map[string]any{"List": []any{map[string]any{"k": "v"}}}), []byte("x")
	sayAll(t, "json", qsocket.JSON[inside[jsonWords]](), inside[jsonWords]{[]map[string]jsonWords{{"k": {}}}}, jsonPayload)
	sayAll(t, "json text", qsocket.JSON[inside[textWords]](), inside[textWords]{[]map[string]textWords{{"k": {}}}}, jsonPayload)
	sayAll(t, "msgpack", qsocket.Msgpack[inside[msgWords]](), inside[msgWords]{[]map[string]msgWords{{"k": {}}}}, msgpackPayload)
	sayAll(t, "msgpack v5", qsocket.Msgpack[inside[v5Words]](), inside[v5Words]{[]map[string]v5Words{{"k": {}}}}, msgpackPayload)
	sayAll(t, "msgpack text", qsocket.Msgpack[inside[textWords]](), inside[textWords]{[]map[string]textWords{{"k": {}}}}, msgpackPayload)
	sayAll(t, "gob", qsocket.Gob[inside[gobWords]](), inside[gobWords]{[]map[string]gobWords{{"k": {}}}}, gobPayload(t))
	sayAll(t, "binary", qsocket.Binary[binaryWords](), binaryWords{}, binaryPayload)
	sayAll(t, "functions", qsocket.Stateless("functions",
		func(string) ([]byte, error) { return nil, hostileSaying.say() },
		func([]byte, *string) error { return hostileSaying.say() }), "", binaryPayload)
	sayAll(t, "union", qsocket.Union(qsocket.Case[any](1, qsocket.Msgpack[inside[msgWords]]()),
		qsocket.Otherwise(func(uint64, []byte) (any, error) { return nil, hostileSaying.say() })),
		any(inside[msgWords]{[]map[string]msgWords{{"k": {}}}}), append([]byte{1}, msgpackPayload...), []byte{7})
}

func mustMsgpack(v any) []byte {
	b, err := msgpack.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// gobPayload makes one that decodes to inside[gobWords].
func gobPayload(t *testing.T) []byte {
	hostileSaying = said{}
	b, err := qsocket.Gob[inside[gobWords]]().NewEncoder().Append(nil, inside[gobWords]{[]map[string]gobWords{{"k": {}}}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sayAll encodes v and decodes the payloads with every saying.
func sayAll[T any](t *testing.T, name string, codec qsocket.Codec[T], v T, payloads ...[]byte) {
	t.Run(name, func(t *testing.T) {
		log := new(testkit.LogCheck)
		called := 0
		for _, text := range testkit.HostileTexts {
			var sayings []said
			for n := range 6 { // each kind of error with each text
				sayings = append(sayings, said{err: hostileError(text + "......"[:n])})
			}
			for _, p := range hostilePanics(text) {
				sayings = append(sayings, said{panicked: p})
			}
			for _, hostileSaying = range sayings {
				for _, payload := range payloads {
					called += sayOne(t, name, codec, v, payload, log)
				}
			}
		}
		checkLog(t, log)
		if called == 0 {
			t.Error("no method was called")
		}
	})
}

// sayOne returns how many of the two ends failed.
func sayOne[T any](t *testing.T, name string, codec qsocket.Codec[T], v T, payload []byte, log *testkit.LogCheck) (failed int) {
	t.Helper()
	what := fmt.Sprintf("%s: %T %T", name, hostileSaying.err, hostileSaying.panicked)
	p := qsocket.Protocol[T]{Codec: codec}
	prepared, err := p.Prepare(v)
	if prepared == nil {
		checkError(t, what, err)
	}
	na, nb := testkit.NetPair(t, "pipe")
	c, err := qsocket.NewConn(t.Context(), nb, p, &qsocket.Options{Logger: log.Logger()})
	if err != nil {
		t.Fatal(err)
	}
	defer testkit.End(c)
	if err := c.Send(t.Context(), v); err != nil {
		failed++
		checkError(t, what, err)
		var ce *qsocket.CodecError
		if !errors.As(err, &ce) {
			t.Errorf("%s: got %T, want a CodecError", what, err)
		}
	}
	go func() { // ends with the connection
		_, _ = na.Write(append([]byte{0, 0, byte(len(payload) >> 8), byte(len(payload))}, payload...))
		na.Close()
	}()
	if _, err := c.Recv(t.Context()); err != nil {
		failed++
		checkError(t, what, err)
		checkError(t, what, c.Err())
		checkError(t, what, c.Send(t.Context(), v))
		checkError(t, what, c.Shutdown(t.Context()))
	}
	return failed
}

// textPayloads has a text in the places of payloads that errors quote: keys, numbers, times,
// names of types.
func textPayloads(text string) (payloads [][]byte) {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	for _, format := range []string{`{"At":%s}`, `{"A":%s}`, `{"M":{%s:"x"}}`, `{%s:1,"A":"x"}`, `{"Arr":%s}`, `%s`} {
		payloads = append(payloads, fmt.Appendf(nil, format, quoted))
	}
	payloads = append(payloads, append([]byte(`{"A":`), append(bytes.Repeat([]byte("1"), len(text)+1), '}')...))
	for _, v := range []any{
		text, []byte(text), map[string]any{text: 1}, map[string]any{"T": text}, map[string]any{"N": text}, map[string]any{"M": map[string]any{text: text}},
		map[string]any{"M": map[any]any{text: 1}}, map[any]any{text: map[any]any{text: map[any]any{text: nil, 1: 2}}}, &msgpack.RawMessage{0xc1},
	} {
		payloads = append(payloads, mustMsgpack(v), append(mustMsgpack(v), 0xc1), append([]byte{1}, mustMsgpack(v)...))
	}
	// A gob value in an interface, under a name that is the peer's.
	if n := len(text); n < 100 {
		name := append([]byte{byte(n)}, text...)
		payloads = append(payloads, append([]byte{byte(len(name) + 3), 0x10, 0}, append(name, 1)...))
	}
	return payloads
}
