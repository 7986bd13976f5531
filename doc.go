/*
Package qsocket sends typed messages between services over any stream
connection. Both ends send and receive at arbitrary times, as with a pair of
queues: that is neither request/response nor publish/subscribe.

A [Conn] carries values of one Go type over TCP, Unix sockets, TLS or any other
[net.Conn]. Several kinds of message make one type by a [Union]. Each value is
encoded by a [Codec], MessagePack unless you choose another, and travels in a
frame that begins with its length. A [Listener] yields such connections on the
server's side.

# A first program

Two services share a package that declares what they say to each other:

	package ticks

	type Tick struct {
		Symbol string
		Price  float64
	}

	var Protocol = qsocket.Protocol[Tick]{Name: "ticks/1"}

One of them listens, and runs a handler for each connection:

	ln, err := qsocket.Listen("tcp", ":7070", ticks.Protocol, nil)
	if err != nil {
		return err
	}
	err = ln.Serve(ctx, func(ctx context.Context, conn *qsocket.Conn[ticks.Tick]) {
		for tick := range conn.Messages() {
			fmt.Println(tick.Symbol, tick.Price)
		}
		if err := conn.Err(); err != nil {
			log.Println(conn.RemoteAddr(), err)
		}
	})

The other dials. It may send and receive from as many goroutines as it likes:

	conn, err := qsocket.Dial(ctx, "tcp", "localhost:7070", ticks.Protocol, nil)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.Send(ctx, ticks.Tick{Symbol: "ABC", Price: 101.5}); err != nil {
		return err
	}
	return conn.Shutdown(ctx) // nil: the other's reader has it

# The protocol

The Name of a [Protocol] is its identity and version. With it, the two ends greet
each other before the first message. If they do not speak the same protocol, or
encode it in another way, or mean another type by the same field, the handshake fails
on both ends with a [*HandshakeError] that says what differs; [Dial] returns only
when the two agree. They also tell each other how large a message may be, see by
heartbeats that the other is still there, and say goodbye at the end.

Messages of several kinds are the cases of a union. T is an interface then:

	type Event interface{ isEvent() }

	var Protocol = qsocket.Protocol[Event]{
		Name: "orders/1",
		Codec: qsocket.Union(
			qsocket.Case[Event](1, qsocket.Msgpack[Placed]()),
			qsocket.Case[Event](2, qsocket.Msgpack[Filled]()),
		),
	}

	for ev := range conn.Messages() {
		switch ev := ev.(type) {
		case Placed: …
		case Filled: …
		}
	}

A test with qsockettest.Golden keeps a record of what the messages look like on the
wire, and fails when a change of a type would break peers that run older code.
docs/protocols.md is about designing a protocol that can live for years.

A Protocol without a Name speaks raw mode: frames and nothing else, which programs
in other languages speak as they are. See "The wire", below.

# Sending

[Conn.Send] encodes its message and returns as soon as that is in the
connection's outgoing buffer. A flusher goroutine, which exists only while there
is something to write, hands the buffer to the kernel: the more messages come
at once, the more go out with one write. A message that has nothing to wait for,
such as the answer in a ping-pong, is written by Send itself, at once. There is
nothing to tune and no need to flush. Send retains nothing of the message.

An error from Send always means that none of the message reaches the peer. The
ctx bounds the wait for room in the buffer, and nothing else: a frame is never
torn. Messages arrive in the order in which Send accepted them.

A nil error means accepted, not received. To know that the kernel has
everything, call [Conn.Flush]. To know at the end that the peer's reader has taken
everything, use [Conn.Shutdown]. To know that the peer has processed a message,
have it answer: no transport can tell.

# Receiving

There are two ways to receive from one queue.

[Conn.Messages] is a channel, to be used in a select or ranged over. Its first
use starts the connection's reader goroutine, which decodes ahead into the
channel (Options.RecvQueue). The channel is closed when no more messages will
come, and [Conn.Err] says why.

[Conn.Recv], and [Conn.All], a loop around it, read on the caller's goroutine.
That spares the hop through a channel, some microseconds in each round trip, and
the goroutine. After Messages has been called they take from the channel.

What arrives is a prefix of what was sent: in order, without gaps or duplicates,
however the two ways are mixed.

# Concurrency

All methods of [Conn] and [Listener] are safe for concurrent use. A [Protocol]
and its [Codec] may be shared by all connections of a process. The goroutines
are these:

  - the flusher, one for each connection, while there is something to write;
  - the reader, one for each connection on which Messages or Done was called; in
    named mode also after our own Close and after the peer's goodbye, to discard
    what still comes and to deal with the end, and until then in any case;
  - after Close, CloseWrite or the peer's goodbye one that waits for the flush, and
    in raw mode one that discards what the peer still sends, both for CloseTimeout
    at most (after Shutdown: as long as its ctx allows);
  - in named mode one that sends the hello, until the peer has taken it, and a
    timer for heartbeats;
  - for each Listener one that accepts, one for each connection that does its
    handshake or waits to be taken, and one for each handler of Serve.

# Back-pressure

Nothing is dropped and nothing grows without bound. If the receiver does not
keep up, its queue fills, then its socket's buffer, then the sender's, then
SendBuffer bytes in the sending Conn; then Send waits, for as long as its ctx
allows.

Two programs that both send much and neither of which receives until it has
sent all block each other for ever. Receive on another goroutine than the one
that sends; the loop over Messages is the natural place to receive.

A receiver that stalls is not cut off, because long back-pressure is legal, and
heartbeats go on. Bound it with the ctx of Send, or for all sends with
Options.WriteTimeout.

# One message to many

A [Group] sends messages to all its members, and encodes each only once. When a
member's outgoing buffer is full, the Group waits for it ([Block]), skips it
([Drop]) or disconnects it ([Disconnect]), after all others have got theirs:

	prices := qsocket.NewGroup(ticks.Protocol, qsocket.Drop)
	…
	prices.Add(conn) // leaves by itself when it ends
	…
	sent, err := prices.Broadcast(ctx, tick)

To send one message to connections of your own choice, use [Protocol.Prepare] and
[Conn.SendPrepared].

# Ending a connection

Whoever gets a Conn must end it. There are these ways:

  - [Conn.Close] flushes what Send accepted, says goodbye and returns, within
    CloseTimeout. What the peer still sends is discarded in the background:
    closing a socket in which unread data lies would make the kernel reset the
    connection, and the reset destroys what the peer has not read yet.
    [Conn.CloseWithReason] tells the peer why: its Err is a [*RemoteError].
  - [Conn.Shutdown] does the same and waits for the peer. A nil means that the
    peer's reader has taken every message.
  - [Conn.CloseWrite] ends sending only. The peer's Messages ends, but the peer
    may go on sending, and when it has ended as well the Conn is over.
  - The peer ends: Messages is closed and Recv returns io.EOF. If it has closed
    and not only ended its sending, Send fails from then on, and the Conn answers
    the goodbye and ends by itself. A program that only sends has to call
    [Conn.Done] to see that: somebody must read the goodbye. Close the Conn in any
    case.

After the end [Conn.Err] is nil if it was a clean one, and otherwise the first
error. A stream that ends without a goodbye, or inside a frame, is
io.ErrUnexpectedEOF. A peer that has been silent for twice Options.Heartbeat, so
for 30 s unless you set it, is given up with [ErrPeerDead]; that too takes somebody
who reads, and time in which nobody does is not counted. A Conn that fails resets the
connection where the network can (TCP).

Before the process exits, wait for [Conn.Done] or use Shutdown: what is on its
way when the process ends, discarding included, ends with it, and the peer may
lose the last messages to the reset described above. The same is true of a peer
that is slower than CloseTimeout.

In raw mode there are no goodbyes. A clean end is the end of file between two
frames, so over TLS or net.Pipe a connection that was cut there looks like one. TCP
cannot tell a peer that has closed from one that has half-closed, so sending works
until the kernel reports otherwise, and the Conn ends only when it is closed. A
nil from Shutdown means that everything was flushed and the peer ended without a
reset. Reasons are only logged.

When a write fails, sending is over, but what has arrived is still delivered;
after that, Messages is closed. If nothing comes for CloseTimeout, receiving
ends as well.

# Stopping a server

[Listener.Close] stops accepting, and leaves the connections that it has handed
out alone. [Listener.Shutdown] ends those as well, and waits for their peers. The
end of the ctx given to [Listener.Serve] ends the handlers and their connections:

	go ln.Serve(ctx, handle) // until ctx ends, or Shutdown
	…
	ending, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := ln.Shutdown(ending) // until the peers have taken what they were sent

When ctx ends, or a handler returns, Serve closes the Conn, which gives its peer no
more than CloseTimeout. A Shutdown of the Listener that has begun before lasts as
long as its ctx allows, unless the handler itself calls Close or CloseWrite.

All of these stop receiving at once: requests that have not been received are
dropped, and a handler that holds one cannot answer any more. A server that owes
answers first asks its clients to end, with a message of its protocol, and goes
on until they have called CloseWrite. The order example shows how.

# Reconnecting

A Conn does not come back. When it has ended, also cleanly, dial again, and
decide what to send again:

	for ctx.Err() == nil {
		conn, err := qsocket.Dial(ctx, "tcp", address, protocol, nil)
		if refused := (*qsocket.HandshakeError)(nil); errors.As(err, &refused) {
			return err // dialing again will not help
		}
		if err == nil {
			err = use(ctx, conn) // until Messages ends
			conn.Close()
		}
		log.Println("connecting again:", err)
		select {
		case <-time.After(time.Second): // better: growing, and with jitter
		case <-ctx.Done():
		}
	}

# Codecs, and whom to trust

	Msgpack  the default; compact, fast, spoken by most languages
	Gob      Go to Go only; one stream per connection, so types travel once
	JSON     to look at what goes over the wire
	Binary   for types with MarshalBinary and UnmarshalBinary; as fast as they are
	Stateless, Codec: any other encoding, in a few lines

[Msgpack] payloads are checked before they are decoded (sizes, counts, depth, UTF-8,
trailing bytes), and so are those of [Gob], which encoding/gob alone would let
allocate gigabytes or overflow the stack; those of [JSON] for depth, UTF-8 and
trailing bytes. The documentation of each says what remains. What a change of T does between an old and a new program is in
docs/evolution.md. Package codecbench measures codecs with messages of your own.

A frame above Options.MaxFrame, 1 MiB unless you set it, ends the connection
before its payload is waited for or memory set aside for it, and buffers grow only
as bytes arrive: a peer that announces much and sends nothing costs next to
nothing. Ends of a named protocol know the other's MaxFrame, and Send refuses what
is above it; in raw mode each knows only its own. Options.FrameTimeout
ends a connection on which a frame dribbles in. A codec that fails or panics on
what the peer sent ends that connection with a [*CodecError], and nothing else.

# The wire

A frame is a 4-byte big-endian length and the payload. A named protocol begins with a
hello from each end and marks its control frames by the top bit of the length.
docs/wire.md has all of it, for clients in other languages; examples/python is
one.

A [Protocol] without a Name speaks raw mode: frames and nothing else, so that
programs that know nothing of this package are peers as they are. Other headers
than the 4-byte length are chosen by [Framing]. Both ends must agree on T, the codec
and the framing; nothing on the wire tells if they do not. Dead peers are found by
TCP keepalive, which package net switches on.

# Coming from Python's qsocket

The package takes its idea from a small Python package of the same name, whose
frames it speaks (with a codec that reads pickles, which is best left to Python).
README.md has a table of what has become of its names.
*/
package qsocket
