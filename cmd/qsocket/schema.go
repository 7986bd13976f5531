package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/fb9bb4ed/qsocket/internal/schema"

	"github.com/fb9bb4ed/qsocket/cmd/qsocket/internal/address"
)

// schemaCommand prints what messages look like on the wire (docs/schema.md), and compares two
// versions of them.
type schemaCommand struct {
	Print schemaPrint `cmd:"" default:"withargs" help:"Print the types of the messages of a server, or of a record."`
	Diff  schemaDiff  `cmd:"" help:"Compare two versions of the types: what becomes of peers of the old one?"`
}

// schemaPrint prints a record, as qsockettest.Golden keeps it.
type schemaPrint struct {
	From string `arg:"" name:"addr|file" help:"Address of a server, or a record: FILE.protocol."`
	peerOptions
}

// Help is what --help adds.
func (c *schemaPrint) Help() string {
	return `
What is printed is a record, in the form that qsockettest.Golden keeps:

  qsocket schema localhost:7070
  qsocket schema localhost:7070 > testdata/orders_1.protocol
`
}

func (c *schemaPrint) Run(p *program) error {
	v, err := c.version(p.ctx, c.From)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(p.out, struct {
			Protocol    string `json:"protocol"`
			Fingerprint string `json:"fingerprint"`
			Schema      string `json:"schema"`
		}{v.name, schema.Fingerprint(v.text), v.text})
	}
	if _, err := schema.Parse(v.text); err != nil || isTerminal(p.out) {
		fmt.Fprintln(p.out, shown(schema.RecordTitle(v.name)))
		printText(p.out, "", v.text)
		return nil
	}
	_, err = io.WriteString(p.out, schema.RecordTitle(v.name)+"\n"+v.text)
	return err
}

// version is what the messages of a protocol look like, as a server or a record has it.
type version struct {
	name  string // of the protocol
	known bool   // that name; an older record has none
	text  string
}

// version reads a record, or asks a server.
func (o *peerOptions) version(ctx context.Context, from string) (*version, error) {
	if !strings.Contains(from, "://") {
		file, err := os.ReadFile(from)
		switch {
		case err == nil:
			return record(from, file)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, usage(err)
		}
		if _, err := address.Parse(from); err != nil {
			return nil, usagef("%q is neither a file nor an address: want FILE.protocol, tcp://host:port, unix://path or tls://host:port", from)
		}
	}
	peer, err := o.observe(ctx, from)
	if err != nil {
		return nil, err
	}
	leaving, cancel := context.WithTimeout(ctx, min(o.Timeout, quickConfirm))
	defer cancel()
	_ = peer.Leave(leaving) // what there is to know is known
	if peer.Text == "" {
		return nil, fmt.Errorf("%s: the server does not tell its types: codec %s has no schema", from, quoted(peer.Hello.Codec))
	}
	return &version{peer.Hello.Proto, true, peer.Text}, nil
}

// maxRecord bounds the comment of a record, bytes.
const maxRecord = 64 << 10

// record reads a file that is to be a record.
func record(path string, file []byte) (*version, error) {
	if len(file) > maxRecord+schema.MaxText {
		return nil, usagef("%s has %d bytes, which no record has: want FILE.protocol", path, len(file))
	}
	title, text := schema.CutRecord(string(file))
	v := &version{text: text}
	switch quotedName := strings.TrimPrefix(title, "# protocol "); {
	case title == "":
	case title == schema.RecordTitle(""):
		v.known = true
	default:
		var err error
		if v.name, err = strconv.Unquote(quotedName); err != nil {
			return nil, usagef("%s: %s is no title of a record: want # protocol and a name in quotes", path, quoted(title))
		}
		v.known = true
	}
	if _, err := schema.Parse(text); err != nil {
		return nil, usagef("%s is no record: %w", path, err)
	}
	return v, nil
}
