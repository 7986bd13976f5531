package main

import (
	"fmt"

	"github.com/fb9bb4ed/qsocket/bench/codecs"
	"github.com/fb9bb4ed/qsocket/bench/peers"
	"github.com/fb9bb4ed/qsocket/codecbench"
)

// codecWorkload is what -workload selects the comparison of codecs by.
const codecWorkload = "codecs encoding, decoding and size of a message, without a contestant"

// A codecRow is what is known of a codec.
type codecRow struct {
	codecbench.Result
	Source string // path of the module that encodes, or "qsocket"
	Note   string `json:",omitempty"`
}

// measureCodecs measures all codecs, which take turns. If one of them fails,
// there is an error and no result: it is a fault in its adapter.
func (res *results) measureCodecs() {
	measured, err := codecbench.Measure([]peers.Order{peers.SampleOrder}, codecs.Codecs()...)
	if err != nil {
		res.CodecError = err.Error()
		return
	}
	for i, e := range codecs.All() {
		res.Codecs = append(res.Codecs, codecRow{measured[i], e.Source, e.Note})
	}
}

func (res *results) codecTable() string {
	if len(res.Codecs) == 0 {
		return ""
	}
	t := table{head: []string{"codec", "encode ns", "decode ns", "allocs", "bytes", "stream ns", "encoded by", "note"}}
	for _, c := range res.Codecs {
		t.add(c.Codec, number(c.EncodeNanos), number(c.DecodeNanos), number(c.EncodeAllocs+c.DecodeAllocs),
			number(c.WireBytes), number(1e9/c.MessagesPerSecond), c.Source, c.Note)
	}
	return fmt.Sprintf("The message of W1 by itself, always the same one; bytes are those of a frame, its header of 4 included. The stream is one over a connection of qsocket.\n\n%s%s", &t, res.codecDetails())
}

// codecDetails returns a table of what else is known of the codecs; nothing, for results of before it was.
func (res *results) codecDetails() string {
	if res.Codecs[0].FlateBytes == 0 {
		return ""
	}
	t := table{head: []string{"codec", "encode ns", "decode ns", "flate bytes", "if the type changes at one end"}}
	span := func(r codecbench.Range) string { return number(r.Min) + " … " + number(r.Max) }
	for _, c := range res.Codecs {
		t.add(c.Codec, span(c.EncodeRange), span(c.DecodeRange), number(c.FlateBytes), c.Evolution)
	}
	return fmt.Sprintf("\nSmallest and largest times, bytes of the payload after package compress/flate, and what becomes of a message if the type has changed at one end, "+
		"found out by trying:\n\n%s", &t)
}
