/*
Package qsocket sends typed messages between services over any stream
connection. Both ends send and receive at arbitrary times, as with a pair of
queues. That is neither request/response nor publish/subscribe.

A [Conn] carries values of one Go type over TCP, Unix sockets, TLS or any other
[net.Conn]. A [Union] makes one type of several kinds of message. Each value is
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
	err = ln.Serve(ctx, func(ctx context.Context, conn *qsocket.Conn[ticks.Tick]) { // see "Stopping a server"
		for tick, err := range conn.All(ctx) {
			if err != nil { // the connection has failed, or ctx has ended
				log.Println(conn.RemoteAddr(), err)
				return
			}
			fmt.Println(tick.Symbol, tick.Price)
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
	return conn.Shutdown(ctx) // nil: the peer's reader has it

# The protocol

The Name of a [Protocol] is its identity and version. With it, the two ends greet
each other before the first message. If their protocols or codecs differ, or a field
has types that do not fit together, the handshake fails on both ends with a
[*HandshakeError] that says what differs. [Dial] returns only when the two agree. The ends also tell each
other how large a message may be, see by heartbeats that the peer is alive, and
say goodbye at the end.

Messages of several kinds are the cases of a union. T is an interface then:

	type Event interface{ isEvent() }

	var Protocol = qsocket.Protocol[Event]{
		Name: "orders/1",
		Codec: qsocket.Union(
			qsocket.Case[Event](1, qsocket.Msgpack[Placed]()),
			qsocket.Case[Event](2, qsocket.Msgpack[Filled]()),
			qsocket.SkipUnknown[Event](), // the cases of newer peers
		),
	}

	for ev := range conn.Messages() {
		switch ev := ev.(type) {
		case Placed: …
		case Filled: …
		}
	}

A test with qsockettest.Golden keeps a record of what the messages look like on the
wire. It fails when that changes, until the change is recorded, and says what it means for
peers that run older code: breaks, loses or safe. docs/protocols.md is about the design of a protocol that can live for years.

A Protocol without a Name speaks raw mode: frames and nothing else, which
programs in other languages speak without any change. See "The wire", below.

# Sending

[Conn.Send] encodes its message and returns as soon as the frame is in the
connection's outgoing buffer. A flusher goroutine, which exists only while there
is something to write, hands the buffer to the kernel: the more messages are sent
at once, the more go out with one write. Where gathering would gain nothing, as with
the answer in a ping-pong, Send writes the message itself, at once. There is nothing
to tune and no need to flush. Send keeps no reference to the message.

An error from Send always means that none of the message reaches the peer. The
ctx bounds the wait for room in the buffer, and nothing else: a frame is never
torn. Messages arrive in the order in which Send accepted them.

[Conn.TrySend] never waits: where there is no room it reports false, and nothing is sent.

A nil error means accepted, not received. To learn that the kernel has
everything, call [Conn.Flush]. To learn at the end that the peer's reader has taken
everything, use [Conn.Shutdown]. To learn that the peer has processed a message,
have the peer answer it: no transport can tell.

# Receiving

There are two ways to receive, from the same queue.

[Conn.All] is a loop, which ends with the connection or with its ctx. It and [Conn.Recv],
which is one step of it, read on the caller's goroutine:

	for tick, err := range conn.All(ctx) {
		if err != nil {
			return err // the connection has failed, or ctx has ended
		}
		…
	} // the peer has ended

[Conn.Messages] is a channel, to be used in a select or ranged over. Its first
use starts the connection's reader goroutine, which decodes ahead into the
channel (Options.RecvQueue). The channel is closed when no more messages will
come, and [Conn.Err] says why. It knows no ctx: a loop over it ends with the connection only,
which Serve closes for its handlers when its ctx ends.

All and Recv spare the hop through the channel, some microseconds in each round trip, and
the goroutine. After Messages has been called they take from the channel.

What arrives is a prefix of what was sent: in order, without gaps or duplicates,
however the two ways are mixed.

# Concurrency

All methods of [Conn] and [Listener] are safe for concurrent use. A [Protocol]
and its [Codec] may be shared by all connections of a process. The goroutines
are these:

  - the flusher, one for each connection, while there is something to write;
  - the reader, one for each connection on which Messages or Done was called, and
    in named mode also after our own Close and after the peer's goodbye, when it
    discards what still arrives and handles the end;
  - after Close, CloseWrite or the peer's goodbye, one that waits for the flush, and
    in raw mode one that discards what the peer still sends, both for CloseTimeout
    at most (after Shutdown: as long as its ctx allows);
  - in named mode, two that tell the peer of a failure and discard what it still sends, for
    CloseTimeout at most;
  - in named mode, one that sends the hello, until the peer has taken it, and a
    timer for heartbeats;
  - for each Listener, one that accepts, one for each connection that is in its
    handshake or waits to be taken, and one for each handler of Serve.

# Back-pressure

Nothing is dropped and nothing grows without bound. If the receiver does not
keep up, its queue fills, then its socket's buffer, then the sender's, then
SendBuffer bytes in the sending Conn; then Send waits, for as long as its ctx
allows.

Two programs that both send much, and receive only when all of it is sent, block
each other for ever. Receive on another goroutine than the one that sends.

A receiver that stalls is not cut off, because long back-pressure is legal, and
heartbeats continue. Bound the stall with the ctx of Send, or for all sends with
Options.WriteTimeout.

# One message to many

A [Group] sends messages to all its members, and encodes each only once. When a
member's outgoing buffer is full, the Group waits for it ([Block]), skips it
([Drop]) or disconnects it ([Disconnect]), after all others have the message:

	room := qsocket.NewGroup(chat.Protocol, qsocket.Drop)
	…
	room.Add(conn) // leaves by itself when it ends
	…
	sent, err := room.BroadcastExcept(ctx, line, conn) // to all but the one it came from

[Group.Broadcast] leaves out none, and [Group.Members] is a loop over those that there are. To send one message to connections of your own choice, use [Protocol.Prepare] and
[Conn.SendPrepared]. examples/chat is a room with a Group.

# Ending a connection

The caller must end every Conn it obtains, in one of these ways:

  - [Conn.Close] flushes what Send accepted, says goodbye and returns, within
    CloseTimeout. What the peer still sends is discarded in the background:
    if the socket were closed with unread data in it, the kernel would reset the
    connection, and the reset destroys what the peer has not read yet.
    [Conn.CloseWithReason] tells the peer why: its Err is a [*RemoteError].
  - [Conn.Shutdown] does the same and waits for the peer. A nil means that the
    peer's reader has taken every message.
  - [Conn.CloseWrite] ends sending only. The peer's Messages ends, but the peer
    may go on sending, and when it has ended as well the Conn is over.
  - The peer ends: Messages is closed and Recv returns io.EOF. If the peer has
    closed, and not only ended its sending, Send fails from then on, and the Conn
    answers the goodbye and ends by itself. A program that only sends must call
    [Conn.Done] to notice, because a reader is needed to find the goodbye. Close the
    Conn in any case.

After a clean end [Conn.Err] is nil; otherwise it is the first error. A stream that
ends without a goodbye, or inside a frame, is io.ErrUnexpectedEOF. A peer that has
been silent for twice Options.Heartbeat, which is 30 s unless you set it, is given
up with [ErrPeerDead]. That too needs a reader, or a Send that waits for room: time in
which the program does neither does not count.

A Conn of a named protocol that fails, because of what its peer did or for reasons of
its own, tells the peer why: a [*RemoteError] with a [Code]. It does so in the
background, within CloseTimeout, after which it resets the connection. It resets it at once
where the peer cannot be told, as when a write has failed. docs/failures.md says what
either end learns of which failure. In raw mode a Conn that fails always resets the
connection where the network can (TCP), since nothing else would tell a failure from a clean end.

Before the process exits, wait for [Conn.Done] or use Shutdown. When the process
exits, its background work stops, discarding included, and the peer may lose the
last messages to the reset described above. A peer that is slower than
CloseTimeout may lose them in the same way.

In raw mode there are no goodbyes. A clean end is the end of file between two
frames, so over TLS or net.Pipe a connection that was cut there looks like one. TCP
cannot tell a peer that has closed from one that has half-closed, so sending works
until the kernel reports otherwise, and the Conn ends only when it is closed. A
nil from Shutdown means that everything was flushed and the peer ended without a
reset. Reasons are only logged.

When a write fails, sending is over, but what has arrived is still delivered;
after that, Messages is closed. If nothing arrives for CloseTimeout, receiving
ends as well.

# Stopping a server

A server that is told to stop lets its clients finish, with [Listener.Drain]:

	stopping, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	served := make(chan error, 1)
	go func() { served <- ln.Serve(context.Background(), handle) }() // not stopping: its end cuts off the handlers
	select {
	case err := <-served:
		return err // accepting has failed for good
	case <-stopping.Done():
		stop() // a second signal ends the program at once
	}
	ending, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err := ln.Drain(ending, "restart") // nil: all handlers have returned
	return errors.Join(err, <-served)

Drain stops accepting, and tells all peers of a named protocol: [Conn.GoingAway] is closed at
both ends. The handlers go on. A client that watches GoingAway finishes what it has begun,
closes, and dials another server; then its handler's loop ends, and so does Drain when all
have. At the end of ending, the connections that are left are closed with
[CodeGoingAway], within CloseTimeout. Clients that do not watch GoingAway learn
from that [*RemoteError], and what they had under way is lost. docs/operations.md has the rest of
a rolling restart, and of running a service: health checks, limits, metrics.

The other ways to stop are for servers that owe no answers:

  - [Listener.Close] stops accepting, and does not touch the connections that it has
    handed out.
  - [Listener.Shutdown] ends those as well, and waits for their peers to take what they
    were sent. It stops receiving at once: a request that has not been received is
    dropped, and a handler that holds one can no longer answer it.
  - The end of the ctx given to [Listener.Serve] does the same, with no more than
    CloseTimeout for each peer.

The clients of the last two see a clean end: their Err is nil, as if the server had
said all that it had to say.

When a handler returns, Serve closes its Conn, which gives the peer no more than
CloseTimeout. If Drain or Shutdown of the Listener began earlier, the peer has as
long as its ctx allows, unless the handler itself calls Close or CloseWrite.

# Reconnecting

A Conn does not reconnect. When it has ended, cleanly or not, dial again, and
decide what to send again. A service that restarts, a load balancer that has none behind
it, and a server that is full end a handshake as well (Field hello, magic or full); that passes.
[HandshakeError.Final] tells what does not:

	const shortest, longest = 50 * time.Millisecond, 5 * time.Second
	wait := shortest
	for {
		dialing, cancel := context.WithTimeout(ctx, 10*time.Second) // a host that is gone does not answer at all
		conn, err := qsocket.Dial(dialing, network, address, protocol, opts)
		cancel()
		if refused := (*qsocket.HandshakeError)(nil); errors.As(err, &refused) && refused.Final() {
			return err // dialing again will not help
		}
		if err == nil {
			since := time.Now()
			err = use(ctx, conn) // until Messages ends
			conn.Close()
			if time.Since(since) >= longest { // not a server that ends each connection at once
				wait = shortest
			}
		}
		select {
		case <-time.After(rand.N(wait)): // by chance: all clients of a server that restarts come at the same time
			log.Info("connecting again", "err", err)
		case <-ctx.Done():
			return ctx.Err()
		}
		wait = min(2*wait, longest)
	}

When [Conn.GoingAway] is closed, use calls [Conn.CloseWrite] and goes on receiving. The
server's handler ends then, and the loop dials the next server. examples/chat has a client that
does all of this. [Redial] is a loop of this kind, ready to use.

# Sessions

A [Session] is a connection that survives the loss of its sockets: the client dials again, both
ends go on where they were, and while the session lives every message that was accepted is
taken exactly once and in order. What is perhaps not taken when it ends is in Unacknowledged:
after [ErrSessionLost], or when the peer has closed without receiving all. It survives no process.

	session, err := qsocket.DialSession(ctx, "tcp", "localhost:7070", ticks.Protocol, nil)

	ln, err := qsocket.Listen("tcp", ":7070", ticks.Protocol, &qsocket.Options{MaxSessions: 1000})
	err = ln.ServeSessions(ctx, func(ctx context.Context, s *qsocket.Session[ticks.Tick]) {
		// one call for each session, over all of its connections
	})

docs/sessions.md says when to use one, and what its errors mean. examples/ledger shows one that resumes, and
what to do about one that is lost.

# Codecs, and whom to trust

	Msgpack    the default: compact, fast, spoken by most languages. Strangers: memory
	           and stack are bounded
	Gob        Go to Go only; types travel once per connection. Strangers: within limits
	JSON       payloads that people can read. Strangers: only with a small MaxFrame
	Binary     types with MarshalBinary and UnmarshalBinary: as fast and as safe as those
	Stateless  any other encoding, in a few lines: as safe as its unmarshal function

The documentation of each codec says what is checked and what remains.
docs/evolution.md says what a change of T does between an old and a new program,
docs/security.md what to set for peers that you do not trust. A peer shows who it
is by its certificate, see Conn.NetConn, or by what it tells in Options.Attributes;
Options.Admit looks at both before there is a Conn. Package codecbench measures
codecs with messages of your own.

# The wire

A frame is a 4-byte big-endian length and the payload. A named protocol begins with a
hello from each end, and marks its control frames by the top bit of the length.
docs/wire.md describes every byte, for clients in other languages; examples/python
is such a client.

A frame above Options.MaxFrame, 1 MiB unless you set it, ends the connection
before its payload is awaited or memory set aside for it, and buffers grow only
as bytes arrive: a peer that announces much and sends nothing costs next to
nothing. Ends of a named protocol know each other's MaxFrame, and Send refuses a
message above it; in raw mode each end knows only its own. Options.FrameTimeout
ends a connection on which a frame arrives too slowly. A codec that fails or panics
on what the peer sent ends that connection with a [*CodecError], and nothing else.

A [Protocol] without a Name speaks raw mode: frames and nothing else, so that
programs that know nothing of this package can be peers. [Framing] chooses another
header than the 4-byte length. Both ends must agree on T, the codec and the
framing; nothing on the wire shows it if they do not. Dead peers are found by TCP
keepalive, which package net switches on.

# Compatibility

The version is 0.x, so a release may still change the exported API. ci/api.txt
records the API, and CHANGELOG.md lists each incompatible change, which raises the
minor version. The wire format is frozen: releases talk to each other, and golden
tests hold every byte of docs/wire.md. The package works with every Go version from
the one in go.mod, Go 1.25, to the newest released one. docs/compatibility.md has the details.

# Coming from Python's qsocket

The package takes its idea from a small Python package of the same name, whose
frames it speaks (with a codec that reads pickles, which is best left to Python).
docs/python.md has a table of its names and those used here, and a handler that does not
get stuck with it: it reads nothing while it sends.
*/
package qsocket
