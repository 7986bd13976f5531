package hostile

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/internal/testkit"
)

// What the library says about what others have said is short and printable, in every error
// and every line that it logs. Each test of this file and of words_test.go has one kind of
// others: payloads, methods of types, peers, connections of other packages.

// The exported types of errors, each with every hostile text in every field of it. One that
// is missing here fails the test.
var errorTypes = map[string]func(text string, err error) []error{
	"CodecError": func(text string, err error) []error {
		return []error{&qsocket.CodecError{Op: "decode", Codec: text, Err: err}, &qsocket.CodecError{Op: "encode", Codec: "json", Err: errors.New("json: " + text)}}
	},
	"HandshakeError": func(text string, _ error) (errs []error) {
		for _, field := range []string{"magic", "version", "hello", "proto", "codec", "types", "heartbeat", text} {
			errs = append(errs, &qsocket.HandshakeError{Field: field, Local: text, Peer: text})
		}
		return errs
	},
	"RemoteError":  func(text string, _ error) []error { return []error{&qsocket.RemoteError{Reason: text}} },
	"SessionError": func(text string, _ error) []error { return []error{&qsocket.SessionError{Why: text}} },
}

func TestErrorTypesAreExcerpts(t *testing.T) {
	for _, name := range exportedErrors(t, "../..") {
		if errorTypes[name] == nil {
			t.Errorf("%s has no case", name)
		}
	}
	for name, make := range errorTypes {
		for _, text := range testkit.HostileTexts {
			for _, err := range make(text, hostileError(text)) {
				checkError(t, name, err)
			}
		}
		for _, err := range make("x", nil) {
			checkError(t, name, err)
		}
	}
	e := &qsocket.RemoteError{Reason: "a\x1b"}
	if e.Reason != "a\x1b" || e.Error() != `qsocket: closed by peer: a\x1b` {
		t.Errorf("got %q, %v", e.Reason, e)
	}
}

// exportedErrors returns the names of the exported types of the package in dir that have a
// method Error.
func exportedErrors(t *testing.T, dir string) (names []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("got %v, %v", files, err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Recv == nil || f.Name.Name != "Error" {
				continue
			}
			recv := f.Recv.List[0].Type
			if star, ok := recv.(*ast.StarExpr); ok {
				recv = star.X
			}
			if id, ok := recv.(*ast.Ident); ok && id.IsExported() {
				names = append(names, id.Name)
			}
		}
	}
	if len(names) < 3 {
		t.Errorf("got %q, want the types of errors.go", names)
	}
	return names
}

// checkError fails the test if a text is none to show.
func checkError(t *testing.T, what string, err error) {
	t.Helper()
	if fault := testkit.ErrorFault(err); fault != "" {
		t.Errorf("%.80s: %T: %s", what, err, fault)
	}
}

// checkLog fails the test if something was logged that is none to show, or nothing was.
func checkLog(t *testing.T, log *testkit.LogCheck) {
	t.Helper()
	for _, fault := range log.Faults() {
		t.Error("logged: ", fault)
	}
	if log.Records() == 0 {
		t.Error("nothing was logged")
	}
}

// Every payload of the corpora and of the fuzz targets' seeds, and every hostile text as a
// value of each codec, to each codec.
func TestPayloadsGiveExcerpts(t *testing.T) {
	payloads := allPayloads(t)
	t.Logf("%d payloads", len(payloads))
	decodeAll(t, "msgpack any", qsocket.Msgpack[any](), payloads)
	decodeAll(t, "msgpack struct", qsocket.Msgpack[mpStruct](qsocket.DisallowUnknownFields()), payloads)
	decodeAll(t, "gob any", qsocket.Gob[any](), payloads)
	decodeAll(t, "gob struct", qsocket.Gob[hostileStruct](), payloads)
	decodeAll(t, "json any", qsocket.JSON[any](), payloads)
	decodeAll(t, "json struct", qsocket.JSON[hostileStruct](), payloads)
	decodeAll(t, "binary", qsocket.Binary[words](), payloads)
	decodeAll(t, "union", qsocket.Union(qsocket.Case[fmt.Stringer](1, qsocket.Msgpack[words]()), qsocket.Case[fmt.Stringer](2, qsocket.JSON[*shownWords]())), payloads)
}

// allPayloads returns the payloads of the corpora and of the seeds of all fuzz targets in
// the module, and hostile texts in the places in which a codec may quote them.
func allPayloads(t *testing.T) (payloads [][]byte) {
	t.Helper()
	mp, err := readHexCases("testdata/msgpack/corpus.txt")
	if err != nil {
		t.Fatal(err)
	}
	gob, err := readHostileCases("testdata/gob/cases.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range slices.Concat(mp, gob) {
		for _, payload := range c.payloads {
			payloads = append(payloads, payload[:min(len(payload), hostileMaxFrame)])
		}
	}
	corpora := len(payloads)
	err = filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(filepath.ToSlash(path), "testdata/fuzz/") {
			return err
		}
		file, err := os.ReadFile(path)
		for _, m := range seedLine.FindAllSubmatch(file, -1) {
			s, err := strconv.Unquote(string(m[1]))
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			payloads = append(payloads, []byte(s))
		}
		return err
	})
	if err != nil || len(payloads) < corpora+50 {
		t.Fatalf("%d payloads, of which %d are of corpora: %v", len(payloads), corpora, err)
	}
	for _, text := range testkit.HostileTexts {
		payloads = append(payloads, []byte(text))
		payloads = append(payloads, textPayloads(text)...)
	}
	return payloads
}

var seedLine = regexp.MustCompile(`(?m)^(?:\[\]byte|string)\((".*"|` + "`[^`]*`" + `)\)$`)

// decodeAll receives each payload over a connection of its own and checks what is said.
func decodeAll[T any](t *testing.T, name string, codec qsocket.Codec[T], payloads [][]byte) {
	t.Run(name, func(t *testing.T) {
		log, refused := new(testkit.LogCheck), 0
		for i, payload := range payloads {
			na, nb := net.Pipe()
			c, err := qsocket.NewConn(t.Context(), nb, qsocket.Protocol[T]{Codec: codec}, &qsocket.Options{MaxFrame: hostileMaxFrame, Logger: log.Logger()})
			if err != nil {
				t.Fatal(err)
			}
			go func() { // ends with the connection
				_, _ = na.Write(binary.BigEndian.AppendUint32(nil, uint32(len(payload))))
				_, _ = na.Write(payload)
				na.Close()
			}()
			_, err = c.Recv(context.Background())
			if err != nil {
				refused++
			}
			checkError(t, fmt.Sprintf("payload %d, %.40q", i, payload), err)
			checkError(t, "Err", c.Err())
			checkError(t, "Send", c.Send(t.Context(), *new(T)))
			testkit.End(c)
		}
		checkLog(t, log)
		if refused == 0 {
			t.Error("all were accepted")
		}
	})
}
