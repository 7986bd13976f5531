// Package codecs has the codecs that the benchmark compares: those of qsocket,
// and those of other libraries behind adapters, which show how little it takes to
// use a foreign encoding with qsocket. Each is in a file of its own.
//
// The shortest adapters are one call of [qsocket.Stateless] with two functions.
// Where a library can append to a buffer, or use its own buffers again, a codec
// made of two small types spares an allocation and a copy for each message.
//
// All refuse payloads that end too early, and bytes after the message, as a
// Decoder has to: where the library does not, the adapter does.
package codecs

import (
	"github.com/fb9bb4ed/qsocket"
	"github.com/fb9bb4ed/qsocket/bench/peers"
	"github.com/fb9bb4ed/qsocket/codecbench"
	"github.com/fb9bb4ed/qsocket/pickle"
)

// An Entry is a codec for the message of the benchmark.
type Entry struct {
	Name   string                     // that of the codec, also in results and benchmarks
	Codec  qsocket.Codec[peers.Order] // safe for concurrent use, as all are
	Source string                     // path of the module that encodes, or "qsocket"
	Note   string                     // what else to know when comparing, in a few words; may be empty
}

// All returns the codecs in the order of the tables: ours, and the others by
// kind of format. The names differ.
func All() []Entry {
	arrays := codecbench.Named("msgpack-arrays", qsocket.Msgpack[peers.Order](qsocket.ArrayEncodedStructs()))
	return []Entry{
		entry(qsocket.Msgpack[peers.Order](), "qsocket", "the default; field names on the wire"),
		entry(arrays, "qsocket", "no field names on the wire, no evolution"),
		entry(qsocket.Gob[peers.Order](), "qsocket", "types once for each connection"),
		entry(qsocket.JSON[peers.Order](), "qsocket", "encoding/json, payloads checked first"),
		entry(pickle.Codec[peers.Order](), "qsocket", "what Python's module pickle reads and writes"),
		entry(HandWritten(), "qsocket", "hand-written methods of the message; no evolution"),

		entry(Msgp(), "github.com/tinylib/msgp", "MessagePack; generated code"),
		entry(Shamaton(), "github.com/shamaton/msgpack/v2", "MessagePack"),
		entry(CBOR(), "github.com/fxamacker/cbor/v2", "field names on the wire"),
		entry(Protobuf(), "google.golang.org/protobuf", "generated code; copies to and from its own type"),
		entry(Avro(), "github.com/hamba/avro/v2", "both ends need the schema"),
		entry(JSONv2(), "github.com/go-json-experiment/json", "what becomes encoding/json/v2"),
		entry(Sonic(), "github.com/bytedance/sonic", "JSON; machine code made at run time"),
	}
}

func entry(codec qsocket.Codec[peers.Order], source, note string) Entry {
	return Entry{codec.Name(), codec, source, note}
}

// Codecs returns the codecs alone, in the same order, for package codecbench.
func Codecs() []qsocket.Codec[peers.Order] {
	var all []qsocket.Codec[peers.Order]
	for _, e := range All() {
		all = append(all, e.Codec)
	}
	return all
}
