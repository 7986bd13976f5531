package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/schema"
)

// A record that the command prints is one that Golden takes, whatever the messages are.
func TestSchemaPrint(t *testing.T) {
	t.Run("union", prints(market))
	t.Run("struct", prints(qsocket.Protocol[order]{Name: "orders/1"}))
	t.Run("tuple", prints(qsocket.Protocol[order]{Name: "orders/1", Codec: qsocket.Msgpack[order](qsocket.ArrayEncodedStructs())}))
	t.Run("gob", prints(qsocket.Protocol[order]{Name: "a \"b\"/1", Codec: qsocket.Gob[order]()}))
	t.Run("map", prints(qsocket.Protocol[map[int]leg]{Name: "orders/1", Codec: qsocket.JSON[map[int]leg]()}))
}

func prints[T any](p qsocket.Protocol[T]) func(*testing.T) {
	return func(t *testing.T) {
		s := serve(t, p, nil, echoing[T])
		want := schema.RecordTitle(p.Name) + "\n" + p.Schema()
		o := runs(t, "schema", s.url)
		if o.code != 0 || o.out != want {
			t.Fatalf("got code %d\n%s%s, want\n%s", o.code, o.out, o.err, want)
		}
		path := filepath.Join(t.TempDir(), "x.protocol")
		if err := os.WriteFile(path, []byte(o.out), 0o600); err != nil {
			t.Fatal(err)
		}
		if o := runs(t, "schema", path); o.out != want {
			t.Errorf("of the record: got\n%s%s", o.out, o.err)
		}
		runs(t, "schema", "diff", s.url, path).want(t, 0, "No difference on the wire.\n")
		var described struct{ Protocol, Fingerprint, Schema string }
		if err := json.Unmarshal([]byte(runs(t, "schema", "--json", s.url).out), &described); err != nil || described.Protocol != p.Name || described.Schema != p.Schema() || described.Fingerprint != schema.Fingerprint(p.Schema()) {
			t.Errorf("got %+v, %v", described, err)
		}
		s.stop()
		if text := s.loud.text(); strings.Contains(text, "level=WARN") || strings.Count(text, "\n") > 1 {
			t.Errorf("the server has logged\n%s", text)
		}
	}
}

// Each change has the verdict that qsockettest.Golden has, and an exit code.
func TestSchemaDiff(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const order = "msgpack\nmessage Order\nstruct Order\n ID uint64\n Symbol string\n"
	old := write("old.protocol", schema.RecordHeader("orders/1")+order)
	for _, tt := range []struct {
		name, new string
		code      int
		want      []string
	}{
		{"same", "# protocol \"orders/1\"\r\n" + strings.ReplaceAll(order, "\n", "\r\n"), 0, []string{"No difference on the wire.\n"}},
		{"no title", order, 0, []string{"No difference"}},
		{"new field", order + " Venue string\n", 0, []string{"safe:\n  field Order.Venue is new (string)\n    old sender, new receiver: it arrives empty\n", "\nPeers of the two versions let each other in.\n"}},
		{"field gone", strings.Replace(order, " Symbol string\n", "", 1), 0, []string{"loses:\n  field Order.Symbol is gone (it was string)\n"}},
		{"renamed", strings.Replace(order, "Symbol", "Sym", 1), 1, []string{"breaks:\n  field Order.Sym is new", "looks like a rename", "let each other in"}},
		{"another type", strings.Replace(order, "uint64", "string", 1), 1, []string{"breaks:\n  field Order.ID was uint64 and is string now\n", "refuse each other in the handshake"}},
		{"another name", schema.RecordHeader("orders/2") + order, 1, []string{"breaks:\n  protocol was \"orders/1\" and is \"orders/2\" now\n", "refuse each other"}},
		{"all", strings.Replace(order, "uint64\n Symbol string", "string", 1) + " New int\n", 1, []string{"breaks:\n", "\nloses:\n", "\nsafe:\n"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			new := write(tt.name+".protocol", tt.new)
			o := runs(t, "schema", "diff", old, new)
			o.want(t, tt.code, tt.want...)
			var r comparison
			o = runs(t, "schema", "diff", "--json", old, new)
			if err := json.Unmarshal([]byte(o.out), &r); err != nil || o.code != tt.code || (len(r.Breaks) > 0) != (tt.code == 1) {
				t.Errorf("got %+v, %v", o, err)
			}
		})
	}
	runs(t, "schema", "diff", old, "none.protocol").want(t, 2, `"none.protocol" is neither a file nor an address`)
	runs(t, "schema", "diff", old, dir).want(t, 2, "is a directory")
	runs(t, "schema", "diff", write("bad.protocol", "msgpack\nmessage\x1b[31m"), old).want(t, 2, "is no record", `bad.protocol`)
	runs(t, "schema", write("title.protocol", "# protocol orders\n"+order)).want(t, 2, "is no title of a record")
	runs(t, "schema", write("long.protocol", strings.Repeat("#", 200<<10))).want(t, 2, "which no record has")
	runs(t, "schema", "diff", old).want(t, 2)
	mute := serve(t, qsocket.Protocol[string]{Name: "mute/1", Codec: qsocket.Stateless("mine", func(s string) ([]byte, error) { return []byte(s), nil }, func(b []byte, s *string) error { return nil })}, nil, echoing[string])
	runsBuilt(t, "", "schema", mute.url).want(t, 1, `does not tell its types: codec "mine" has no schema`)
}
