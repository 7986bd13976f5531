package qsockettest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/schema"
)

// Golden compares the messages of p with the record of them in the file
//
//	testdata/<Name of p>.protocol
//
// below the directory of the test, where / and other characters that are not for
// file names are _: orders/1 is in testdata/orders_1.protocol. A protocol without a
// Name is in testdata/raw.protocol, so a package can have one of them. The file
// belongs into version control; its form is the one of docs/schema.md behind lines
// of comment that begin with #.
//
// Any difference from the record is an error, until it is recorded; a new name of a Go type alone
// and another order of fields are none. The error lists the changes, and what peers of the
// recorded version, which keep running for a while, make of them:
//
//   - breaks: values arrive as something else, or not at all. So do fields that look renamed (one is
//     gone, and one of the same type is new), tags that have gone to other messages, new cases if the recorded version does
//     not skip unknown ones (see qsocket.SkipUnknown), and types that get or lose methods by which they encode themselves.
//     Give the protocol a new version in its Name, which makes it another protocol with a file of its own,
//     or take the change back;
//   - loses: some values of old peers are refused or do not arrive, because a field is gone, say;
//   - safe: whatever old peers send arrives as it was, and they read or skip what new ones send.
//
// Golden is stricter than the handshake, in which two ends decide whether they can talk: docs/schema.md of
// qsocket has a table.
//
// The environment variable QSOCKET_UPDATE=1 records what loses and what is safe:
//
//	QSOCKET_UPDATE=1 go test ./...
//
// and so does the flag -update, where the test binary has none of its own that means something else:
// where it defines a bool flag of that name, Golden uses that one. QSOCKET_UPDATE=breaking records what breaks as well.
//
// It is fatal if there is no file, and if the codec of p cannot tell what its
// payloads look like: it has no method Schema, as those made by qsocket.Stateless,
// or the description of the messages, or of a case of a Union, is longer than 64 KiB. What a Go type encodes by methods of
// its own is opaque: Golden does not see it change.
func Golden[T any](t testing.TB, p qsocket.Protocol[T]) {
	t.Helper()
	codec := "msgpack"
	if p.Codec != nil {
		codec = p.Codec.Name()
	}
	if s, ok := any(p.Codec).(interface{ SchemaErr() error }); ok || p.Codec == nil {
		if p.Codec == nil {
			s = any(qsocket.Msgpack[T]()).(interface{ SchemaErr() error })
		}
		if err := s.SchemaErr(); err != nil {
			t.Fatalf("qsockettest: codec %q cannot tell what messages of %s look like: %v", codec, called(p.Name), err)
		}
	}
	update, err := updating()
	if err != nil {
		t.Fatalf("qsockettest: %v", err)
	}
	golden(t, p.Name, codec, p.Schema(), update)
}

func golden(t testing.TB, name, codec, text string, update update) {
	t.Helper()
	if text == "" {
		t.Fatalf("qsockettest: codec %q does not tell what messages of %s look like: want a codec with a Schema", codec, called(name))
	}
	local, err := schema.Parse(text)
	if err != nil {
		t.Fatalf("qsockettest: codec %q describes messages of %s in another form: %v", codec, called(name), err)
	}
	path := goldenPath(name)
	file, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if update == updateNothing {
			t.Fatalf("qsockettest: no record of %s: %s writes it to %s", called(name), updateCommand(t, "1"), path)
		}
		writeGolden(t, path, schema.RecordHeader(name)+text)
		return
	case err != nil:
		t.Fatalf("qsockettest: %v", err)
	}
	owner, old := schema.CutRecord(string(file))
	if owner != "" && owner != schema.RecordTitle(name) {
		t.Fatalf("qsockettest: %s is the record of %s, and not of %s: want names that differ in more than what is _ in file names", path, strings.TrimPrefix(owner, "# "), called(name))
	}
	if old == text {
		return
	}
	record, err := schema.Parse(old)
	if err != nil {
		if update == updateNothing {
			t.Fatalf("qsockettest: %s is damaged: %v; %s writes it anew, without a look at what has changed", path, err, updateCommand(t, "breaking"))
		}
		if update == updateAll {
			writeGolden(t, path, schema.RecordHeader(name)+text)
			return
		}
		t.Fatalf("qsockettest: %s is damaged, so it is not known whether a change breaks: %v; %s writes it anew", path, err, updateCommand(t, "breaking"))
	}
	diffs := schema.CompareRecord(local, record)
	breaks := slices.ContainsFunc(diffs, func(d schema.Difference) bool { return d.Verdict() == schema.Breaks })
	switch {
	case update == updateNothing && len(diffs) == 0: // types have other names, or fields another order
	case update == updateNothing:
		t.Errorf("%s", report(t, name, path, diffs))
	case breaks && update != updateAll:
		t.Errorf("%s", report(t, name, path, diffs))
	default:
		writeGolden(t, path, schema.RecordHeader(name)+text)
		if breaks {
			t.Logf("recorded what breaks:\n%s", schema.List(diffs, schema.Breaks))
		}
	}
}

// report is what the developer reads who has changed a message.
func report(t testing.TB, name, path string, diffs []schema.Difference) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s is not what %s records.\n", called(name), path)
	for _, v := range schema.Verdicts {
		if lines := schema.List(diffs, v); lines != "" {
			fmt.Fprintf(&b, "\n%v:\n%s", v, lines)
		}
	}
	b.WriteString("\n")
	if schema.List(diffs, schema.Breaks) == "" {
		fmt.Fprintf(&b, "If that is meant, %s records it.", updateCommand(t, "1"))
	} else {
		fmt.Fprintf(&b, "Give the protocol a new version in its Name, which makes it another one, or take back what breaks. If no peer of the recorded version is left, %s records it.", updateCommand(t, "breaking"))
	}
	return b.String()
}

// updateCommand is the command that records changes.
func updateCommand(t testing.TB, value string) string {
	return fmt.Sprintf("QSOCKET_UPDATE=%s go test -run %s", value, runPattern(t))
}

func writeGolden(t testing.TB, path, text string) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o777)
	if err == nil {
		err = os.WriteFile(path, []byte(text), 0o666)
	}
	if err != nil {
		t.Fatalf("qsockettest: %v", err)
	}
	t.Logf("wrote %s", path)
}

func called(name string) string {
	if name == "" {
		return "the protocol without a name"
	}
	return fmt.Sprintf("protocol %q", name)
}

func goldenPath(name string) string {
	if name == "" {
		name = "raw"
	}
	file := strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>|`, r) || r <= ' ' || r == 0x7f {
			return '_'
		}
		return r
	}, name)
	return filepath.Join("testdata", file+".protocol")
}

// runPattern is what selects the test that t belongs to.
func runPattern(t testing.TB) string {
	name, _, _ := strings.Cut(t.Name(), "/")
	return name
}
