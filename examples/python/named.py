"""A connection of a named protocol, as docs/wire.md describes it.

It takes Python 3.8 or later and the package msgpack. One thread may send while
another receives. What goes wrong with a connection is an OSError that says what it is:
Refused, Violation and RemoteError, and those of the operating system.
"""

import math
import os
import select
import socket
import struct
import threading
import time

import msgpack

GOODBYE, HEARTBEAT, CONFIRM, EXTENSIONS, GOING_AWAY = 1, 2, 3, 0x80, 0x81  # kinds of control frames
REFUSED, FULL_UP = 8, 9  # codes of goodbyes
NOTHING, HALF, FULL = 0, 1, 2  # of a goodbye
CONTROL = 1 << 31  # in the header of a frame
HANDSHAKE_TIMEOUT, FRAME_TIMEOUT, CLOSE_TIMEOUT = 10.0, 30.0, 5.0  # seconds

HELLO_KEYS = {"proto": str, "codec": str, "max": int, "hb": int, "types": str, "desc": int, "nl": str, "adm": bool}
GOODBYE_KEYS = {"reason": str, "full": bool, "code": int}


class Refused(ConnectionError):
    """The two ends cannot talk to each other."""


class Violation(ConnectionError):
    """The peer has broken the rules of docs/wire.md."""


class RemoteError(ConnectionError):
    """The peer has ended the connection, for the reason that it gives.

    code says what kind of reason it is, 0 if the peer does not say. REFUSED: the peer does not
    want this client; FULL_UP: it has no room for now.
    """

    def __init__(self, reason, code=0):
        super().__init__(reason or f"code {code}")
        self.code = code


class Conn:
    """A connection to the peer at address, a pair of host and port.

    heartbeat is how many seconds the peer may be silent, of which it gets twice as
    many before it is given up; 0 is for ever.
    """

    def __init__(self, address, proto, codec, max_frame=1 << 20, heartbeat=15.0):
        self.max_frame = max_frame
        self.over_by = time.monotonic() + HANDSHAKE_TIMEOUT  # later: by when a close has to be over
        self.silence = math.inf  # seconds without a byte after which the peer is given up
        self.heard = NOTHING  # the peer's goodbye
        self.reason = ""  # the one that it gave
        self.code = 0  # what kind of reason it is
        self.confirmed = False  # the peer has taken what was sent
        self.discarded = False  # a message of the peer was not taken
        self.going_away = threading.Event()  # the peer will end before long: finish, and connect elsewhere
        self.quiet = threading.Event()  # no more heartbeats
        self.writing = threading.RLock()  # guards the following, and keeps frames whole and in order
        self.said = NOTHING  # our goodbye
        self.finished = False  # the write side of the socket is closed, or unusable
        self.last_write = 0.0
        self.sock = socket.create_connection(address, timeout=HANDSHAKE_TIMEOUT)
        try:
            self.sock.setblocking(False)  # _wait waits, for a reader and a writer apart
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._greet({"proto": proto, "codec": codec, "max": max_frame, "hb": int(heartbeat * 1000)})
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

    def _refuse(self, reason):
        """Tells the peer why there is no talking to it, and gives it a second to read that."""
        self.over_by = time.monotonic() + 1
        try:
            self._goodbye(FULL, reason)
            self.sock.shutdown(socket.SHUT_WR)
            self._read(1 << 20)
        except (OSError, EOFError):
            pass
        raise Refused(reason)

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
            self.going_away.set()  # the reason in its body is for logs
        elif kind >= EXTENSIONS:
            pass
        elif kind not in (HEARTBEAT, CONFIRM):
            raise Violation(f"control frame of the reserved kind {kind:#04x}")
        elif body:
            raise Violation(f"control frame of kind {kind:#04x} with a body of {len(body)} bytes, want none")
        elif kind == CONFIRM:
            if self.said == NOTHING:
                raise Violation("confirm before our goodbye")
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
                if first and not self.discarded:
                    self._control(CONFIRM)
                if level == FULL:
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

    def _goodbye(self, level, reason=""):
        body = {"full": level == FULL}
        if reason:
            body["reason"] = reason.encode()[:1024].decode(errors="ignore")
        with self.writing:
            if level == FULL:
                self.quiet.set()
            if self.said < level and not self.finished:
                self.said = level  # before the peer can confirm it
                self._control(GOODBYE, msgpack.packb(body))
            self._finish()

    def _finish(self):
        """Closes the write side of the socket if nothing is left to say."""
        if self.said and self.heard and not self.finished:
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
        self.quiet.set()
        try:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("hh" if os.name == "nt" else "ii", 1, 0))
        except OSError:
            pass  # the peer has reset it, or it is closed
        self.sock.close()


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


def check_goodbye(data):
    goodbye = check_map(data, GOODBYE_KEYS)
    if len(goodbye.get("reason", "").encode()) > 1024:
        raise Violation("the reason is too long, want at most 1024 bytes")
    if goodbye.get("code", 0) > 65535:
        raise Violation(f"the code is {goodbye['code']}, want at most 65535")
    return goodbye
