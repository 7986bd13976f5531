"""A connection of a named protocol, as docs/wire.md describes it.

It takes Python 3.8 or later and the package msgpack. One thread may send while
another receives. Every error of it is a ConnectionError that says what is wrong.
"""

import select
import socket
import struct
import threading
import time

import msgpack

GOODBYE, HEARTBEAT, CONFIRM = 1, 2, 3  # kinds of control frames
CONTROL = 1 << 31


class Refused(ConnectionError):
    """The two ends cannot talk to each other."""


class RemoteError(ConnectionError):
    """The peer has ended the connection, for the reason that it gives."""


class Conn:
    def __init__(self, address, proto, codec, max_frame=1 << 20, heartbeat=15.0):
        self.max_frame = max_frame
        self.patience = 10.0  # seconds of silence before the peer is given up
        self.writing = threading.RLock()  # guards last_write, and keeps frames whole and in order
        self.said_full = threading.Event()
        self.confirmed = self.parted = self.discarded = False
        self.sock = socket.create_connection(address, timeout=10)
        self.sock.settimeout(None)
        try:
            self._greet(proto, codec, heartbeat)
        except BaseException:
            self.sock.close()
            raise
        self.patience = 2 * heartbeat
        if self.peer_wants:
            threading.Thread(target=self._beat, daemon=True).start()  # until said_full

    def _greet(self, proto, codec, heartbeat):
        ours = {"proto": proto, "codec": codec, "max": self.max_frame, "hb": int(heartbeat * 1000)}
        hello = msgpack.packb(ours)
        self._write(b"QSK\x01" + struct.pack("!I", len(hello)) + hello)
        try:
            magic = self._read(4)
            if magic[:3] != b"QSK":
                raise Refused(f"want a hello, got {magic!r}: the peer runs raw mode or another protocol")
            if magic[3] != 1:
                raise Refused(f"version of the wire differs: 1 here, {magic[3]} at the peer")
            size = self._number()
            if size > 4096:
                raise Refused(f"hello of {size} bytes, want at most 4096")
            theirs = self._map(self._read(size))
        except Refused:
            raise
        except OSError as err:
            raise Refused(f"no hello: {err}; the peer runs raw mode or another protocol, or is gone") from err
        for key in ("proto", "codec"):
            if theirs.get(key) != ours[key]:
                reason = f'{key} differs: "{ours[key]}" here, "{theirs.get(key)}" at the peer'
                self._goodbye(full=True, reason=reason)
                raise Refused(reason)
        self.peer_max, self.peer_wants = theirs["max"], theirs.get("hb", 0) / 1000

    def send(self, payload):
        """Sends a message. Waits while the peer does not read, so receive meanwhile."""
        if len(payload) > self.peer_max:
            raise ValueError(f"message of {len(payload)} bytes, the peer takes {self.peer_max}")
        self._write(struct.pack("!I", len(payload)) + payload)

    def messages(self):
        """Yields what comes until the peer says goodbye, and answers that."""
        while not self.parted:
            payload = self._frame()
            if payload is not None:
                yield payload

    def end_sending(self):
        """Says that no more messages come from here. Receiving goes on."""
        self._goodbye(full=False)

    def close(self):
        """Ends the connection. True: the peer has taken everything that was sent."""
        self.patience = 5.0
        try:
            if not self.said_full.is_set():
                self._goodbye(full=True)
            while not self.parted:
                self.discarded |= self._frame() is not None
            self.sock.shutdown(socket.SHUT_WR)
            while select.select([self.sock], [], [], self.patience)[0] and self.sock.recv(4096):
                pass  # what control frames may come until the peer's end
        finally:
            self.said_full.set()
            self.sock.close()
        return self.confirmed

    def _frame(self):
        """Reads a frame and returns the payload of a message. Handles control frames."""
        size = self._number()
        if size < CONTROL:
            if size > self.max_frame:
                raise ConnectionError(f"message of {size} bytes, want at most {self.max_frame}")
            return self._read(size)
        size -= CONTROL
        if not 1 <= size <= 4096:
            raise ConnectionError(f"control frame of {size} bytes, want 1 to 4096")
        frame = self._read(size)
        kind, body = frame[0], frame[1:]
        if kind == GOODBYE:
            self._heard_goodbye(self._map(body))
        elif kind == CONFIRM:
            self.confirmed = True
        elif kind != HEARTBEAT and kind < 0x80:
            raise ConnectionError(f"control frame of the reserved kind {kind:#04x}")
        return None

    def _heard_goodbye(self, goodbye):
        self.parted = True
        if not self.discarded:
            self._control(CONFIRM)
        if goodbye.get("full") and not self.said_full.is_set():
            self._goodbye(full=True)
        if goodbye.get("reason"):
            raise RemoteError(goodbye["reason"])

    def _goodbye(self, **body):
        with self.writing:
            self._control(GOODBYE, msgpack.packb(body))
            if body["full"]:
                self.said_full.set()

    def _control(self, kind, body=b""):
        self._write(struct.pack("!IB", CONTROL | 1 + len(body), kind) + body)

    def _beat(self):
        while not self.said_full.wait(self.peer_wants / 4):
            with self.writing:
                idle = time.monotonic() - self.last_write
                if idle >= self.peer_wants / 2 and not self.said_full.is_set():
                    try:
                        self._control(HEARTBEAT)
                    except OSError:
                        return  # the reader finds out why

    def _write(self, data):
        with self.writing:
            self.sock.sendall(data)
            self.last_write = time.monotonic()

    def _read(self, size):
        data = bytearray()
        while len(data) < size:
            if not select.select([self.sock], [], [], self.patience)[0]:
                raise ConnectionError(f"the peer is silent for {self.patience} s")
            part = self.sock.recv(min(size - len(data), 1 << 16))
            if not part:
                raise ConnectionError("the connection ended without a goodbye")
            data += part
        return bytes(data)

    def _number(self):
        return struct.unpack("!I", self._read(4))[0]

    @staticmethod
    def _map(data):
        try:
            value = msgpack.unpackb(data)
        except (ValueError, msgpack.UnpackException) as err:
            raise ConnectionError(f"want a map: {err}") from err
        if not isinstance(value, dict):
            raise ConnectionError(f"want a map, got {value!r}")
        return value
