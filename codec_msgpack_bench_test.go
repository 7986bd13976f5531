package qsocket_test

import (
	"bytes"
	"testing"

	"github.com/fb9bb4ed/qsocket"
	"github.com/vmihailenco/msgpack/v5"
)

// BenchmarkMsgpack compares the codec with v5 in its best form: one encoder and
// one decoder for all messages, without the guards. Compare within one run.
func BenchmarkMsgpack(b *testing.B) {
	codec := qsocket.Msgpack[benchOrder]()
	payload, err := codec.NewEncoder().Append(nil, benchSample)
	if err != nil {
		b.Fatal(err)
	}
	run := func(name string, f func() error) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(payload)))
			b.ReportAllocs()
			for b.Loop() {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}

	var buf bytes.Buffer
	v5enc := msgpack.NewEncoder(&buf)
	v5enc.UseCompactInts(true)
	v5enc.SetSortMapKeys(true)
	run("op=encode/impl=v5", func() error {
		buf.Reset()
		return v5enc.Encode(&benchSample)
	})
	enc, dst := codec.NewEncoder(), make([]byte, 0, 256)
	run("op=encode/impl=plan", func() error {
		_, err := enc.Append(dst, benchSample)
		return err
	})

	r := bytes.NewReader(nil)
	v5dec := msgpack.NewDecoder(r)
	run("op=decode/impl=v5", func() error {
		r.Reset(payload)
		v5dec.ResetReader(r)
		var v benchOrder
		return v5dec.Decode(&v)
	})
	dec := codec.NewDecoder()
	run("op=decode/impl=plan", func() error {
		_, err := dec.Decode(payload)
		return err
	})
}
