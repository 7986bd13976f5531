package qsocket

import (
	"fmt"
	"reflect"

	"github.com/fb9bb4ed/qsocket/internal/mpplan"
	"github.com/fb9bb4ed/qsocket/internal/schema"
	"github.com/fb9bb4ed/qsocket/internal/wire"
)

// The codecs of this package describe their messages. Where one cannot, because the
// description would be too long, say, its Schema is empty, as if it knew nothing of its
// types, and a method SchemaErr says why. Package qsockettest looks for that method, too.

// Schema describes the messages of p in the form of docs/schema.md: fields, their
// types, and how the codec sends them. qsockettest.Golden compares it with the one of an
// earlier version.
//
// It is "" if there is no description: the codec has none, such as one made by [Stateless];
// it would be longer than 64 KiB; a name of a field is longer than 200 bytes; or a struct that is sent
// as an array has two fields of one name. Then no peer is told what the
// messages look like, and nothing compares them: a Listener logs why, at level Warn, and Golden
// fails with the reason.
func (p Protocol[T]) Schema() string {
	return schemaOf(p.codec())
}

func schemaOf(codec any) string {
	if s, ok := codec.(interface{ Schema() string }); ok {
		return s.Schema()
	}
	return ""
}

// untold returns why the peer is not told what messages look like, although their
// codec knows; nil if it is told, or the codec knows nothing.
func untold(codec any) error {
	if err := schemaErr(codec); err != nil {
		return err
	}
	if n := len(schemaOf(codec)); n > wire.MaxTypes {
		return fmt.Errorf("schema: text of %d bytes, want at most %d", n, wire.MaxTypes)
	}
	return nil
}

// schemaErr returns why a codec that knows its messages does not describe them.
func schemaErr(codec any) error {
	if s, ok := codec.(interface{ SchemaErr() error }); ok {
		return s.SchemaErr()
	}
	return nil
}

func (c msgpackCodec[T]) Schema() string { text, _ := c.describe(); return text }
func (gobCodec[T]) Schema() string       { text, _ := schema.Gob(reflect.TypeFor[T]()); return text }
func (jsonCodec[T]) Schema() string      { text, _ := schema.JSON(reflect.TypeFor[T]()); return text }
func (binaryCodec[T]) Schema() string    { text, _ := schema.Binary(reflect.TypeFor[T]()); return text }

// Schema lists the cases, each with its codec's description of it.
func (u *unionCodec[T]) Schema() string { text, _ := u.schema(); return text }

func (c msgpackCodec[T]) SchemaErr() error { _, err := c.describe(); return err }
func (gobCodec[T]) SchemaErr() error       { _, err := schema.Gob(reflect.TypeFor[T]()); return err }
func (jsonCodec[T]) SchemaErr() error      { _, err := schema.JSON(reflect.TypeFor[T]()); return err }
func (binaryCodec[T]) SchemaErr() error    { _, err := schema.Binary(reflect.TypeFor[T]()); return err }
func (u *unionCodec[T]) SchemaErr() error  { _, err := u.schema(); return err }

func (c msgpackCodec[T]) describe() (string, error) {
	return mpplan.For[T]().Schema(c.opts.Options)
}

// describe makes the description of a union, or says why it tells less than it should: a
// case whose codec cannot describe it is opaque to the peer.
func (u *unionCodec[T]) describe() (text string, err error) {
	cases := make([]schema.Case, len(u.cases))
	for i, c := range u.cases {
		cases[i] = schema.Case{Tag: c.tag(), Codec: c.codecName(), Type: c.valueType().String()}
		var caseErr error
		if cases[i].Text, caseErr = c.schema(); caseErr != nil && err == nil {
			err = fmt.Errorf("case %d: %w", c.tag(), caseErr)
		}
	}
	text, unionErr := schema.Union(reflect.TypeFor[T]().Name(), u.skip || u.otherwise != nil, cases)
	if err == nil {
		err = unionErr
	}
	return text, err
}

func (c *variant[T, V]) schema() (text string, err error) {
	if s, ok := c.codec.(interface{ Schema() string }); ok {
		text = s.Schema()
	}
	return text, schemaErr(c.codec)
}
