package value

import (
	"github.com/fb9bb4ed/qsocket/internal/excerpt"
	"github.com/fb9bb4ed/qsocket/internal/schema"
)

// What errors say of names and texts that others have chosen.

func clip(s string) string { return excerpt.Quote(s, 40) }

func quote(s string) string { return excerpt.Quote(s, 80) }

// schemaName shows the name of a codec.
func schemaName(s string) string { return excerpt.Text(s, 100) }

// kindNames are the words of docs/schema.md.
var kindNames = map[schema.Kind]string{
	schema.Bool: "bool", schema.Int: "int", schema.Int8: "int8", schema.Int16: "int16", schema.Int32: "int32", schema.Int64: "int64",
	schema.Uint: "uint", schema.Uint8: "uint8", schema.Uint16: "uint16", schema.Uint32: "uint32", schema.Uint64: "uint64",
	schema.Float32: "float32", schema.Float64: "float64", schema.Complex: "complex", schema.String: "string",
	schema.Bytes: "bytes", schema.Time: "time", schema.Any: "any",
}

func kindName(k schema.Kind) string { return kindNames[k] }
