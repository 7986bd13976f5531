package qsocket_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// wide is a codec whose description has n bytes.
type wide struct {
	qsocket.Codec[string]
	n int
}

func (w wide) Schema() string { return strings.Repeat("x", w.n) }

// untellable cannot be described: a name of a field is too long.
type untellable struct {
	A int `msgpack:"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"`
}

// alike can be sent as an array only, and has no description.
type alike struct {
	Bid int `msgpack:"price"`
	Ask int `msgpack:"price"`
}

// Why there is no description is said with the fields.
func TestSchemaOfTwoFieldsOfOneName(t *testing.T) {
	c := qsocket.Msgpack[[]alike](qsocket.ArrayEncodedStructs())
	p := qsocket.Protocol[[]alike]{Name: "alike/1", Codec: c}
	if s := p.Schema(); s != "" {
		t.Errorf("got %q, want none", s)
	}
	const want = `schema: two fields of "alike", "Bid" and "Ask", are named "price", and a description tells fields apart by their names: give one another name by a tag`
	if err := c.(interface{ SchemaErr() error }).SchemaErr(); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	a, b, err := qsocket.Pipe(p, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer testkit.End(a)
	defer testkit.End(b)
	if a.Peer().Differences != "" {
		t.Errorf("got differences %q of what is not told", a.Peer().Differences)
	}
}

// A Listener says once that it does not tell its types, if it could have been expected to.
func TestListenWarnsOfUntoldTypes(t *testing.T) {
	listen := func(start func(o *qsocket.Options) (interface{ Close() error }, error)) string {
		var log bytes.Buffer
		ln, err := start(&qsocket.Options{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))})
		if err != nil {
			t.Fatal(err)
		}
		ln.Close()
		return log.String()
	}
	onStrings := func(name string, c qsocket.Codec[string]) string {
		return listen(func(o *qsocket.Options) (interface{ Close() error }, error) {
			return qsocket.Listen("tcp", "127.0.0.1:0", qsocket.Protocol[string]{Name: name, Codec: c}, o)
		})
	}
	onAny := func(c qsocket.Codec[any]) string {
		return listen(func(o *qsocket.Options) (interface{ Close() error }, error) {
			return qsocket.Listen("tcp", "127.0.0.1:0", qsocket.Protocol[any]{Name: "any/1", Codec: c}, o)
		})
	}
	bad := qsocket.Case[any](7, qsocket.Msgpack[untellable]())
	union := qsocket.Union(qsocket.Case[any](1, qsocket.Msgpack[testkit.Order]()), bad)
	for _, test := range []struct {
		name, log, want string // "": no line
	}{
		{"a codec that tells", onStrings("text/1", qsocket.JSON[string]()), ""},
		{"a codec that knows nothing", onStrings("text/1", testkit.TextCodec), ""},
		{"too long", onStrings("text/1", wide{testkit.TextCodec, 1<<16 + 1}), "text of 65537 bytes, want at most 65536"},
		{"raw mode", onStrings("", wide{testkit.TextCodec, 1<<16 + 1}), ""},
		{"a type without a description", listen(func(o *qsocket.Options) (interface{ Close() error }, error) {
			return qsocket.Listen("tcp", "127.0.0.1:0", qsocket.Protocol[untellable]{Name: "u/1"}, o)
		}), "name of 206 bytes"},
		{"two fields of one name", listen(func(o *qsocket.Options) (interface{ Close() error }, error) {
			return qsocket.Listen("tcp", "127.0.0.1:0", qsocket.Protocol[alike]{Name: "u/1", Codec: qsocket.Msgpack[alike](qsocket.ArrayEncodedStructs())}, o)
		}), "give one another name by a tag"},
		{"a case of a union", onAny(union), "case 7: schema:"},
		{"a union that tells", onAny(qsocket.Union(qsocket.Case[any](2, qsocket.Msgpack[int]()))), ""},
	} {
		if n := strings.Count(test.log, "\n"); test.want == "" && n != 0 || test.want != "" && (n != 1 || !strings.Contains(test.log, test.want) || !strings.Contains(test.log, "level=WARN")) {
			t.Errorf("%s: got %q, want a line with: %s", test.name, test.log, test.want)
		}
	}
}
