package qsockettest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
// A change that keeps a peer of the recorded version from understanding this one,
// or the reverse, is an error that names the field. So is a type that gets methods by which
// it encodes itself, or loses them, though a handshake lets it pass. Give such a protocol a new
// version in its Name, which makes it another one with a file of its own, or take
// the change back. A change that peers survive, such as a field that is added, is
// logged and no error: record it when it is meant.
//
// The flag -update writes the file:
//
//	go test -run TestProtocol -update
//
// Where the test binary defines a bool flag -update itself, Golden uses that one.
// The environment variable QSOCKET_UPDATE=1 does the same without a flag.
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
	golden(t, p.Name, codec, p.Schema(), updating())
}

func golden(t testing.TB, name, codec, text string, update bool) {
	t.Helper()
	if text == "" {
		t.Fatalf("qsockettest: codec %q does not tell what messages of %s look like: want a codec with a Schema", codec, called(name))
	}
	local, err := schema.Parse(text)
	if err != nil {
		t.Fatalf("qsockettest: codec %q describes messages of %s in another form: %v", codec, called(name), err)
	}
	path := goldenPath(name)
	recorded, err := os.ReadFile(path)
	missing := errors.Is(err, fs.ErrNotExist)
	switch {
	case err != nil && !missing:
		t.Fatalf("qsockettest: %v", err)
	case missing && !update:
		t.Fatalf("qsockettest: no record of %s: go test -run %s -update writes it to %s", called(name), runPattern(t), path)
	}
	old := withoutComments(string(recorded))
	if old == text {
		return
	}
	peer, err := schema.Parse(old)
	if err != nil && !update {
		t.Fatalf("qsockettest: %s is damaged: %v; -update writes it anew", path, err)
	}
	var diffs []schema.Difference
	if err == nil {
		diffs = schema.Compare(local, peer)
	}
	if update {
		writeGolden(t, path, goldenHeader(name)+text)
		for _, d := range diffs {
			if d.Breaking || d.Opaque() {
				t.Logf("recorded a breaking change: %s", d.Change())
			}
		}
		return
	}
	reportChanges(t, name, path, diffs)
}

// reportChanges tells the differences between what path records and the code.
func reportChanges(t testing.TB, name, path string, diffs []schema.Difference) {
	t.Helper()
	var breaking strings.Builder
	for _, d := range diffs {
		if d.Breaking || d.Opaque() {
			fmt.Fprintf(&breaking, "\n\t%s", d.Change())
		} else {
			t.Logf("compatible: %s", d.Change())
		}
	}
	switch {
	case breaking.Len() > 0:
		t.Errorf("%s is not what %s records:%s\ngive the protocol a new version in its Name, or take the change back",
			called(name), path, breaking.String())
	case len(diffs) == 0:
		t.Logf("compatible: types have other names, or fields another order")
	}
	if breaking.Len() == 0 {
		t.Logf("go test -run %s -update records it in %s", runPattern(t), path)
	}
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

// goldenHeader is what the file begins with.
func goldenHeader(name string) string {
	return "# What the messages of " + called(name) + " look like on the wire.\n" +
		"# qsockettest.Golden compares the code with this file; go test -update writes it.\n" +
		"# The form is explained in docs/schema.md of qsocket.\n"
}

// withoutComments cuts the lines of comment before the text, and what version
// control may have made of the ends of lines.
func withoutComments(file string) string {
	file = strings.ReplaceAll(file, "\r\n", "\n")
	for strings.HasPrefix(file, "#") {
		_, file, _ = strings.Cut(file, "\n")
	}
	return file
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
