/*
Package codecbench finds out which [qsocket.Codec] suits your messages: how fast
they are encoded and decoded, how many bytes they take on the wire, and what
that means for a round trip and for a stream over a real connection.

Which codec is best depends on the messages. One with long strings, one with
many small numbers and one with a nested map have different winners, and figures
about other people's messages do not help. With this package it takes a few of
your own.

# In go test

A benchmark gives [Run] some messages, called samples, and the codecs:

	func BenchmarkCodecs(b *testing.B) {
		codecbench.Run(b, orders[:50],
			qsocket.Msgpack[Order](),
			codecbench.Named("msgpack-arrays", qsocket.Msgpack[Order](qsocket.ArrayEncodedStructs())),
			qsocket.Gob[Order](),
			qsocket.JSON[Order](),
		)
	}

It makes four benchmarks of each codec:

	codec=msgpack/op=encode     append a message to a buffer
	codec=msgpack/op=decode     make a message of a payload
	codec=msgpack/op=roundtrip  send a message and wait for one that answers it
	codec=msgpack/op=stream     one of many messages one way, until the last has been received and decoded

The last two use TCP over loopback, with both ends in this process: everything
counts, the codec's work at both ends, the library's and the kernel's. Streams
are what a codec makes faster, and encoding is done while others decode; in a
round trip most of the time is the kernel's.

Beside nanoseconds, MB/s and allocations, op=encode reports wire-B/msg, the mean
length of a message on the wire in bytes, with the 4 bytes of the frame header.

# With benchstat

The names are made for benchstat (golang.org/x/perf/cmd/benchstat), which puts
codecs or operations into columns:

	go test -run='^$' -bench=Codecs -count=6 | tee codecs.txt
	benchstat -row /op -col /codec codecs.txt
	benchstat -row /codec -filter '/op:encode' codecs.txt
	benchstat -row /op -col '/codec@(gob msgpack)' codecs.txt

The first codec is the base that the others are compared with.

# In a program

[Compare] prints tables of the same figures, in about a second for each codec,
with what follows below. [Measure] returns them, for programs that draw their own conclusions.

	err := codecbench.Compare(os.Stdout, orders[:50], qsocket.Msgpack[Order](), qsocket.Gob[Order]())

The figures are medians of some rounds. If the smallest and the largest of these differ by more than
half, the machine does something else as well, and Compare says so.

Links that compress make large encodings smaller: field names come again and again. So there are the bytes of a message
after package compress/flate, alone and in a stream of all samples. For the stream, samples should differ as real
messages do.

# Codecs with state

A codec like [qsocket.Gob] sends the types of a stream once. It is measured as
a connection uses it, with one encoder and one decoder: all samples go through
them once before the clock starts, and what is decoded is a stream that goes on,
never the same payload twice. What the first message of a connection takes is
reported by itself, as first-B. It is what matters for connections on which
little is sent.

# When a type changes

Compare also says what becomes of messages if the struct has changed at one end only, as it has while a
service is being updated: a field is added, removed or renamed, or a number has got a wider type.
This is found out by trying. A sample is written with that change in the format of the codec, if that is MessagePack, JSON or gob,
and the codec decodes it. It works if what both ends have arrives as it was, and the rest is zero; a field is lost if it
is zero without an error. Other formats are not tried. docs/evolution.md has many more changes for the codecs of
qsocket.

# What comes back

Before anything is measured, the samples are encoded and decoded. A codec
that cannot do that fails. One that returns something else than it was given is
measured all the same, with a note of the first difference: it may be what the
codec promises (gob makes nil of an empty slice), or a field that was forgotten,
which would make the codec look better than it is. Values with a method Equal,
such as those of [time.Time], differ when that says so. Unexported fields do not
count beside exported ones.
*/
package codecbench
