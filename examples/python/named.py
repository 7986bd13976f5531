"""A connection of a named protocol, as docs/wire.md describes it, and a session over several of them.

It takes Python 3.8 or later and the package msgpack. One thread may send while
another receives. What goes wrong is an OSError that says what it is: Refused, NotNow, Violation,
RemoteError and SessionLost, and those of the operating system.
"""

import collections
import math
import os
import random
import select
import socket
import struct
import threading
import time

import msgpack

GOODBYE, HEARTBEAT, CONFIRM, ANSWER, ACK, ASK, EXTENSIONS, GOING_AWAY = 1, 2, 3, 4, 5, 6, 0x80, 0x81  # kinds of control frames
PROTOCOL, TIMEOUT, REFUSED, FULL_UP = 3, 6, 8, 9  # codes of goodbyes
CREATED, RESUMED, OVER, BUSY = 1, 2, 3, 6  # what has become of a session
NOTHING, HALF, FULL = 0, 1, 2  # of a goodbye
CONTROL = 1 << 31  # in the header of a frame
HANDSHAKE_TIMEOUT, FRAME_TIMEOUT, CLOSE_TIMEOUT = 10.0, 30.0, 5.0  # seconds
ACK_AFTER, FIRST_PAUSE, LONGEST_PAUSE = 4.0, 0.2, 15.0  # seconds

HELLO_KEYS = {"proto": str, "codec": str, "max": int, "hb": int, "types": str, "desc": int, "nl": str, "adm": bool}
HELLO_KEYS.update({"sid": bytes, "try": int, "got": int, "new": bool, "keep": int, "ses": int})
ANSWER_KEYS = {"st": int, "got": int, "exp": int, "why": str}
GOODBYE_KEYS = {"reason": str, "full": bool, "code": int}


class Refused(ConnectionError):
    """The two ends cannot talk to each other."""


class NotNow(ConnectionError):
    """The server has no room for another session, or the connection ended before it could say."""


class Violation(ConnectionError):
    """The peer has broken the rules of docs/wire.md."""

    final = True  # dialing again is in vain


class RemoteError(ConnectionError):
    """The peer has ended the connection, for the reason that it gives.

    code says what kind of reason it is, 0 if the peer does not say. REFUSED: the peer does not
    want this client; FULL_UP: it has no room for now.
    """

    def __init__(self, reason, code=0):
        super().__init__(reason or f"code {code}")
        self.code = code
        self.final = code in (0, PROTOCOL, REFUSED)


class SessionLost(ConnectionError):
    """The server does not have the session any more. Session.unacknowledged has what may be missing."""

    final = True


class Conn:
    """A connection to the peer at address: a pair of host and port, or a socket that a server has accepted.

    heartbeat is how many seconds the peer may be silent, of which it gets twice as
    many before it is given up; 0 is for ever.
    """

    def __init__(self, address, proto, codec, max_frame=1 << 20, heartbeat=15.0, session=None):
        self.session = session  # the Session that it belongs to
        self.answer = None  # the server's, about the session
        self.max_frame = max_frame
        self.over_by = time.monotonic() + HANDSHAKE_TIMEOUT  # later: by when a close has to be over
        self.silence = math.inf  # seconds without a byte after which the peer is given up
        self.heard = NOTHING  # the peer's goodbye
        self.reason = ""  # the one that it gave
        self.code = 0  # what kind of reason it is
        self.confirmed = False  # the peer has taken what was sent
        self.sure = False  # ... and has heard that this end is at its end
        self.discarded = False  # a message of the peer was not taken
        self.going_away = threading.Event()  # the peer will end before long: finish, and connect elsewhere
        self.quiet = threading.Event()  # no more heartbeats
        self.writing = threading.RLock()  # guards the following, and keeps frames whole and in order
        self.said = self.first = NOTHING  # our goodbye, and the one that is confirmed
        self.finished = False  # the write side of the socket is closed, or unusable
        self.last_write = 0.0
        self.sock = address if isinstance(address, socket.socket) else socket.create_connection(address, timeout=HANDSHAKE_TIMEOUT)
        try:
            self.sock.setblocking(False)  # _wait waits, for a reader and a writer apart
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            hello = {"proto": proto, "codec": codec, "max": max_frame, "hb": int(heartbeat * 1000)}
            self._greet({**hello, **session._question()} if session else hello)
        except BaseException:
            self.sock.close()
            raise
        self.over_by = math.inf
        self.silence = 2 * heartbeat or math.inf
        if self.peer_wants:
            threading.Thread(target=self._beat, daemon=True).start()  # until quiet

    def send(self, payload):
        """Sends a message. Waits while the peer does not read, so receive meanwhile."""
        if len(payload) > self.peer_max:
            raise ValueError(f"message of {len(payload)} bytes, the peer takes {self.peer_max}")
        with self.writing:
            if self.said or self.finished:
                raise ConnectionError("sending has ended")
            self._write(struct.pack("!I", len(payload)) + payload)

    def messages(self):
        """Yields what comes until the peer says goodbye, and answers that."""
        while self.heard == NOTHING:
            try:
                payload = self._frame()
            except EOFError:
                self._abort()
                raise ConnectionError("the connection ended without a goodbye") from None
            except OSError:
                self._abort()
                raise
            if payload is not None:
                yield payload
        if self.reason or self.code:
            raise RemoteError(self.reason, self.code)

    def end_sending(self):
        """Says that no more messages come from here. Receiving goes on."""
        self._goodbye(HALF)

    def close(self):
        """Ends the connection, and discards what still comes.

        True: the peer has confirmed that it has taken everything that was sent.
        """
        self.over_by = min(self.over_by, time.monotonic() + CLOSE_TIMEOUT)
        try:
            self._goodbye(FULL)
            while True:
                self.discarded |= self._frame() is not None
        except (OSError, EOFError):
            pass  # after a full goodbye it does not matter how the peer ends
        finally:
            self.quiet.set()
            self.sock.close()
        return self.confirmed

    # The hello.

    def _greet(self, ours):
        hello = msgpack.packb(ours)
        try:
            self._write(b"QSK\x01" + struct.pack("!I", len(hello)) + hello)
            for want in b"QSK":  # one by one: another protocol may send less, and wait
                got = self._read(1)[0]
                if got != want:
                    raise Refused(f"want a hello, got the byte {got:#04x}: the peer runs raw mode or another protocol")
            version = self._read(1)[0]
            if version != 1:
                self._refuse(f"version differs: 1 here, {version} at the peer")
            size = struct.unpack("!I", self._read(4))[0]
            if size > 4096:
                self._refuse(f"hello of {size} bytes, want at most 4096")
            theirs = self._read(size)
        except Refused:
            raise
        except (OSError, EOFError) as err:
            raise Refused(f"no hello: {err}; the peer runs raw mode or another protocol, or is gone") from err
        try:
            theirs = check_hello(theirs)
        except Violation as err:
            self._refuse(f"hello: {err}")
        for key in ("proto", "codec"):
            if theirs.get(key, "") != ours[key]:
                self._refuse(f'{key} differs: "{ours[key]}" here, "{theirs.get(key, "")}" at the peer')
        beat, least = theirs.get("hb", 0), min(100, ours["hb"] or 100)
        if 0 < beat < least:
            self._refuse(f"the interval of heartbeats is too short: want at least {least} ms, the peer asks for one every {beat} ms")
        self.peer_max = min(theirs["max"], CONTROL - 1)
        self.peer_wants = min(beat / 1000, 3600.0)  # more often than the peer needs does no harm
        self.peer_keep = theirs.get("keep", 0)
        if not self.session:
            return
        if not theirs.get("ses"):
            self._refuse("the peer has no sessions")
        try:
            while not self.answer and not self.heard:
                if self._frame() is not None:
                    raise Violation("message before the answer about the session")
        except Violation as err:
            self._fail(err)
        except (OSError, EOFError) as err:
            raise NotNow(f"no answer about the session: {err}") from err
        if not self.answer:
            raise RemoteError(self.reason, self.code)

    def _refuse(self, reason):
        """Tells the peer why there is no talking to it."""
        err = Refused(reason)
        err.final = True
        self._fail(err, 0)

    def _fail(self, err, code=PROTOCOL):
        """Tells the peer what is wrong, gives it a second to read that, and raises it."""
        self.over_by = time.monotonic() + 1
        try:
            self._goodbye(FULL, str(err), code)
            self.sock.shutdown(socket.SHUT_WR)
            self._read(1 << 20)
        except (OSError, EOFError):
            pass
        raise err

    # What comes.

    def _frame(self):
        """Reads a frame and returns the payload of a message, and None for other frames.

        EOFError: the connection has ended between two frames.
        """
        first = self._read(1)
        by = time.monotonic() + FRAME_TIMEOUT
        try:
            size = struct.unpack("!I", first + self._read(3, by))[0]
            if size < CONTROL:
                if self.heard:
                    raise Violation(f"message of {size} bytes after goodbye")
                if size > self.max_frame:
                    raise Violation(f"message of {size} bytes, want at most {self.max_frame}")
                return self._read(size, by)
            size -= CONTROL
            if not 1 <= size <= 4096:
                raise Violation(f"control frame of {size} bytes, want 1 to 4096")
            frame = self._read(size, by)
        except EOFError:
            raise ConnectionError("the connection ended inside a frame") from None
        self._hear(frame[0], frame[1:])
        return None

    def _hear(self, kind, body):
        if kind == GOODBYE:
            self._hear_goodbye(check_goodbye(body))
        elif kind == GOING_AWAY:
            check_reason(check_map(body, {"reason": str}))  # it is for logs
            self.going_away.set()
        elif kind >= EXTENSIONS:
            pass
        elif kind == ANSWER and self.session and not self.answer:
            self.answer = check_answer(body)
        elif self.answer and (kind == ACK and len(body) == 8 or kind == ASK and not body):
            self.session._hear(kind, body)
        elif kind not in (HEARTBEAT, CONFIRM):
            raise Violation(f"control frame of the kind {kind:#04x}, which is reserved, or not for here and now")
        elif body:
            raise Violation(f"control frame of kind {kind:#04x} with a body of {len(body)} bytes, want none")
        elif kind == CONFIRM:
            if self.said == NOTHING:
                raise Violation("confirm before our goodbye")
            self.sure = self.said == FULL and (self.confirmed or self.first == FULL)
            self.confirmed = True

    def _hear_goodbye(self, goodbye):
        level = FULL if goodbye.get("full") else HALF
        if self.heard >= level:
            raise Violation("goodbye after goodbye")
        if level == FULL:
            self.over_by = min(self.over_by, time.monotonic() + CLOSE_TIMEOUT)
        try:
            with self.writing:
                first, self.heard = not self.heard, level
                self.reason = self.reason or goodbye.get("reason", "")
                self.code = self.code or goodbye.get("code", 0)
                if (first or self.answer) and not self.discarded:
                    self._control(CONFIRM)
                if level == FULL or self.answer and self.said:
                    self._goodbye(FULL)
                self._finish()
        except OSError:
            if level != FULL:  # else the peer is gone, which it may be
                raise

    def _read(self, size, by=math.inf):
        """Reads size bytes until then."""
        data = bytearray()
        while len(data) < size:
            self._wait(True, by)
            try:
                part = self.sock.recv(min(size - len(data), 1 << 16))
            except BlockingIOError:
                continue
            if not part:
                raise EOFError("the connection ended")
            data += part
        return bytes(data)

    # What is sent.

    def _goodbye(self, level, reason="", code=0):
        if self.answer and self.heard:
            level = FULL  # neither end of the session sends any more
        body = {"full": level == FULL}
        if code:
            body["code"] = code
        if reason:
            body["reason"] = reason.encode()[:1024].decode(errors="ignore")
        with self.writing:
            if level == FULL:
                self.quiet.set()
            if self.said < level and not self.finished:
                if self.answer:
                    self._write(self.session._ack())
                self.first = self.first or level
                self.said = level  # before the peer can confirm it
                self._control(GOODBYE, msgpack.packb(body))
            self._finish()

    def _finish(self):
        """Closes the write side of the socket if nothing is left to say."""
        if self.said and self.heard >= (FULL if self.answer else HALF) and not self.finished:
            self.finished = True
            self.sock.shutdown(socket.SHUT_WR)

    def _beat(self):
        while not (self.quiet.wait(self.peer_wants / 4) or self.finished):
            with self.writing:
                if time.monotonic() - self.last_write >= self.peer_wants / 2 and not self.quiet.is_set():
                    try:
                        self._control(HEARTBEAT)
                    except OSError:
                        return  # the reader finds out why

    def _control(self, kind, body=b""):
        self._write(struct.pack("!IB", CONTROL | 1 + len(body), kind) + body)

    def _write(self, data):
        with self.writing:
            if self.finished:
                raise ConnectionError("sending has ended")
            rest = memoryview(data)
            try:
                while rest:
                    self._wait(False)
                    try:
                        rest = rest[self.sock.send(rest) :]
                    except BlockingIOError:
                        pass
                    self.last_write = time.monotonic()
            except BaseException:
                self.finished = True  # nothing may follow a part of a frame
                raise

    # The socket.

    def _wait(self, to_read, by=math.inf):
        """Waits until the socket can be read or written."""
        silent_by = time.monotonic() + self.silence
        while True:
            now = time.monotonic()
            limits = [(self.over_by, "it took too long")]
            if to_read:
                limits += [(silent_by, f"the peer is silent for {self.silence:g} s"), (by, f"a frame was not complete in {FRAME_TIMEOUT:g} s")]
            limit, why = min(limits)
            readers, writers = ([self.sock], []) if to_read else ([], [self.sock])
            try:  # for a second at most: the other thread may move over_by
                ready = select.select(readers, writers, [], max(0, min(limit - now, 1)))
            except ValueError as err:  # it is closed
                raise ConnectionError(f"the socket cannot be used: {err}") from err
            if any(ready):
                return
            if time.monotonic() >= limit:
                raise ConnectionError(why)

    def _abort(self):
        """Closes the socket with a reset, so that the peer does not take it for a clean end."""
        self.finished = True
        self.quiet.set()
        try:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("hh" if os.name == "nt" else "ii", 1, 0))
        except OSError:
            pass  # the peer has reset it, or it is closed
        self.sock.close()


class Session:
    """A connection that survives the loss of its sockets: each message is taken exactly once and in
    order by the program at the other end, or the session ends with an error.

    The arguments are those of a Conn, and keep: how many bytes send may have under way that the
    server's program has not taken yet. messages has to run, in a thread of its own if need be: it reads what
    the server says of that, and connects again. Another thread, which ends with close or an error, writes.
    """

    def __init__(self, address, proto, codec, keep=1 << 22, **options):
        self.dial = lambda: Conn(address, proto, codec, session=self, **options)
        self.sid, self.tries, self.begun, self.keep = os.urandom(16), 0, False, keep
        self.expiry = 120.0  # seconds without a connection, until the server says how many
        self.over_by, self.pause, self.since = math.inf, FIRST_PAUSE, 0.0  # since when there is a connection
        self.over = threading.Event()
        self.error = None
        self.had = 0  # messages of the server's, most of which our program has taken
        self.changed = threading.Condition()  # guards the following; comes after Conn.writing
        self.conn = None  # the latest
        self.frames, self.size = collections.deque(), 0  # not acknowledged yet, and their bytes
        self.gone = self.cursor = self.sent = 0  # our messages: acknowledged, written to this connection, and to any
        self.ending = NOTHING  # our goodbye, behind them
        self.taken = self.owed = 0  # by our program: messages, and bytes since the last ack
        self.acked_at = time.monotonic()
        self.must_ack = self.must_ask = self.work = False
        self._connect(NotNow)
        threading.Thread(target=self._write, daemon=True).start()  # until over

    def send(self, payload):
        """Sends a message, on this connection or a later one. Waits while keep is used up."""
        with self.changed:
            if len(payload) > self.conn.peer_max:
                raise ValueError(f"message of {len(payload)} bytes, the peer takes {self.conn.peer_max}")
            size = len(payload) + 4
            self.must_ask = bool(self.frames) and self.size + size > self.keep
            self._wake()
            self.changed.wait_for(lambda: not self.frames or self.size + size <= self.keep or self.ending or self.over.is_set())
            if self.ending or self.over.is_set():
                raise self.error or ConnectionError("sending has ended")
            self.frames.append(struct.pack("!I", len(payload)) + payload)
            self.size += size
            self._wake()

    def messages(self):
        """Yields what comes until the server says goodbye."""
        for payload in self._incoming(HALF):
            with self.changed:
                self.taken += 1
                self.owed += len(payload) + 4
                if 4 * self.owed >= self.conn.peer_keep:
                    self.must_ack = True
                    self._wake()
            yield payload
        if self.error:
            raise self.error

    def end_sending(self, level=HALF):
        """Says that no more messages come from here. Receiving goes on."""
        with self.changed:
            self.ending = max(self.ending, level)
            self._wake()

    def close(self):
        """Ends the session, and discards what still comes. True: the server has taken everything that was sent."""
        self.over_by = self.conn.over_by = time.monotonic() + CLOSE_TIMEOUT
        self.end_sending(FULL)
        try:
            for _ in self._incoming(math.inf):
                pass
        except OSError:
            pass
        everything = self.conn.confirmed and self.cursor == self.gone + len(self.frames) or not self.frames
        self._end(None)
        return everything and not self.error

    def unacknowledged(self):
        """Returns the messages that the server's program has not taken for sure, each with whether it may have."""
        with self.changed:
            return [(frame[4:], self.gone + i < self.sent) for i, frame in enumerate(self.frames)]

    def _incoming(self, until):
        while not self.over.is_set():
            conn = self.conn
            try:
                while conn.heard < until and not (conn.reason or conn.code):
                    payload = conn._frame()
                    conn.discarded |= payload is not None and self.ending == FULL
                    if payload is not None and self.ending != FULL:
                        self.had += 1
                        yield payload
                lost = None
            except (OSError, EOFError) as err:
                dropped = conn.heard == FULL and self.frames and isinstance(err, EOFError)  # so it confirms nothing
                lost = None if conn.sure or dropped else err
            if conn.code == TIMEOUT:  # its end of the connection has failed, not the session
                lost = OSError(conn.reason)
            try:
                if isinstance(lost, Violation) and conn.said != FULL:
                    conn._fail(lost)
                if lost:
                    conn._abort()
                    try:
                        if conn.going_away.is_set():  # whoever answers there does not know the session
                            raise SessionLost(f"the server has gone away: {lost}")
                        self._connect(OSError)  # after the server's end to answer that once more
                    except SessionLost:
                        if conn.heard < FULL:
                            raise
                        return self._end(None)
                    continue
                if conn.reason or conn.code:
                    raise RemoteError(conn.reason, conn.code)
            except OSError as err:
                self._end(err)
                raise
            return

    def _connect(self, passing):
        """Dials until there is an answer, or an error that is not passing."""
        lost = time.monotonic()
        if lost - self.since > LONGEST_PAUSE:
            self.pause = FIRST_PAUSE  # else the server is not well
        self.over.wait(random.uniform(0, self.pause if self.begun else 0))
        while True:
            self.pause = min(2 * self.pause, LONGEST_PAUSE)
            try:
                return self._attach(self.dial())
            except passing as err:
                if getattr(err, "final", False):
                    raise
                if time.monotonic() > min(lost + self.expiry, self.over_by) or self.over.wait(random.uniform(0, self.pause)):
                    raise SessionLost(f"no connection for {time.monotonic() - lost:.0f} s: {err}") from err

    def _question(self):
        self.tries += 1
        new = {} if self.begun else {"new": True}
        return {"sid": self.sid, "try": self.tries, "got": self.had, "keep": self.keep, **new}

    def _attach(self, conn):
        state, got, why = conn.answer["st"], conn.answer.get("got", 0), conn.answer.get("why", "")
        with self.changed:
            last = self.gone + len(self.frames)
            if state in (CREATED, RESUMED):
                if not self.gone <= got <= self.sent or state == CREATED and (self.begun or got):
                    conn._fail(Violation(f"answer with state {state} and got {got}, want {self.gone} to {self.sent}"))
                self.conn, self.cursor, self.must_ack, self.since = conn, got, state == RESUMED, time.monotonic()
                self.begun, self.expiry, conn.over_by = True, conn.answer.get("exp", 0) / 1000 or self.expiry, self.over_by
                return self._wake()
        conn._abort()
        if state == BUSY:
            raise NotNow(f"the server has no room for another session: {why}")
        if state != OVER or self.ending != FULL or got != last:
            raise SessionLost(f"the server does not have the session any more: {why or f'state {state}'}")
        self.frames.clear()  # everything has arrived
        self.over.set()

    def _hear(self, kind, body):
        with self.changed:
            if kind == ASK:
                self.must_ack = True
            else:
                count = struct.unpack("!Q", body)[0]
                if not self.gone <= count <= self.cursor:
                    raise Violation(f"ack of {count} messages, want {self.gone} to {self.cursor}")
                while self.gone < count:
                    self.size -= len(self.frames.popleft())
                    self.gone += 1
            self._wake()

    def _end(self, err):
        with self.changed:
            if not self.over.is_set():
                self.error = err
            self.over.set()
            self._wake()
        self.conn.quiet.set()
        self.conn.sock.close()

    def _wake(self):
        self.work = True
        self.changed.notify_all()

    def _write(self):
        while not self.over.is_set():
            conn = self.conn
            try:
                with conn.writing:
                    data, ending = self._next(conn)
                    if data:
                        conn._write(data)
                    elif ending > conn.said:
                        conn._goodbye(ending)
            except OSError:
                data = b""  # the reader finds out why
            with self.changed:
                self.changed.wait_for(lambda: data or self.work or self.over.is_set(), 1)

    def _next(self, conn):
        """Returns what is to be written, and the goodbye that is due when that is nothing."""
        with self.changed:
            self.work = False
            if conn is not self.conn or conn.finished or conn.said == FULL:
                return b"", NOTHING
            late = self.owed and time.monotonic() - self.acked_at > ACK_AFTER
            data, last = self._ack() if self.must_ack or late else b"", self.gone + len(self.frames)
            while self.cursor < last and len(data) < 1 << 16:
                data += self.frames[self.cursor - self.gone]
                self.cursor += 1
            self.sent = max(self.sent, self.cursor)
            if self.must_ask and self.cursor == last:
                data, self.must_ask = data + struct.pack("!IB", CONTROL | 1, ASK), False
            return data, self.ending

    def _ack(self):
        with self.changed:
            self.must_ack, self.owed, self.acked_at = False, 0, time.monotonic()
            return struct.pack("!IBQ", CONTROL | 9, ACK, self.taken)


class Pairs(list):
    """The keys and values of a map, in pairs."""


def check_map(data, types):
    """Returns the map of a hello or goodbye, if it is one. types are those of the known keys."""
    try:
        pairs = msgpack.unpackb(data, raw=False, strict_map_key=False, object_pairs_hook=Pairs)
    except (ValueError, msgpack.UnpackException) as err:
        raise Violation(f"want a map: {err}") from err
    if not isinstance(pairs, Pairs):
        raise Violation(f"{type(pairs).__name__} where a map is expected")
    if depth(pairs) > 100:
        raise Violation("nested deeper than 100 levels")
    values = {}
    for key, value in pairs:
        if type(key) is not str:
            raise Violation(f"the key {key!r} is no str")
        if key in values:
            raise Violation(f"the key {key!r} is there twice")
        want = types.get(key)
        if want and (type(value) is not want or want is int and value < 0):
            raise Violation(f"{key}: {type(value).__name__} where a {'uint' if want is int else want.__name__} is expected")
        values[key] = value
    return values


def depth(value):
    """Returns how deeply arrays and maps are nested."""
    if isinstance(value, Pairs):
        value = [item for pair in value for item in pair]
    return 1 + max(map(depth, value), default=0) if isinstance(value, (list, tuple)) else 0


def check_hello(data):
    hello = check_map(data, HELLO_KEYS)
    if "max" not in hello:
        raise Violation('the key "max" is missing')
    for key in ("proto", "codec"):
        if len(hello.get(key, "").encode()) > 1024:
            raise Violation(f"{key} is too long, want at most 1024 bytes")
    types = hello.get("types", "")
    if types and (len(types) != 32 or set(types) - set("0123456789abcdef")):
        raise Violation("types is no fingerprint: want 32 lower-case hexadecimal digits")
    if hello.get("desc", 0) > 65536:
        raise Violation(f"desc is {hello['desc']}, want at most 65536")
    check_attributes(hello.get("attr", Pairs()))
    return hello


def check_attributes(pairs):
    """Checks what the peer says of itself, and shows none of it: there may be secrets in it."""
    if not isinstance(pairs, Pairs):
        raise Violation(f"attr: {type(pairs).__name__} where a map is expected")
    if len(pairs) > 32:
        raise Violation(f"{len(pairs)} attributes, want at most 32")
    if any(type(text) is not str for pair in pairs for text in pair):
        raise Violation("attr: want names and values that are str")
    if len({name for name, _ in pairs}) < len(pairs):
        raise Violation("an attribute is there twice")
    if any(name == "" for name, _ in pairs):
        raise Violation("an attribute has an empty name")
    size = len(msgpack.packb(dict(pairs)))
    if size > 1536:
        raise Violation(f"attributes of {size} bytes as encoded, want at most 1536")


def check_answer(data):
    answer = check_map(data, ANSWER_KEYS)
    if not CREATED <= answer.get("st", 0) <= BUSY:
        raise Violation(f"answer with the state {answer.get('st')}, want one from 1 to 6")
    if len(answer.get("why", "").encode()) > 1024:
        raise Violation("why is too long, want at most 1024 bytes")
    return answer


def check_goodbye(data):
    goodbye = check_map(data, GOODBYE_KEYS)
    check_reason(goodbye)
    if goodbye.get("code", 0) > 65535:
        raise Violation(f"the code is {goodbye['code']}, want at most 65535")
    return goodbye


def check_reason(values):
    if len(values.get("reason", "").encode()) > 1024:
        raise Violation("the reason is too long, want at most 1024 bytes")
