"""A socket that behaves like a queue: a frame is a length of four bytes, big-endian, and a pickle.

Whoever can connect can run code here: pickle.loads does what a pickle says. Use it
between programs that trust each other.
"""

import pickle
import queue
import socket
import struct
import threading

HEADER = struct.Struct("!I")


class QueueSocket:
    """Objects that arrive are put into inq by a thread, and None when no more will come.

    A subclass can have them by its method process instead, and on_close is called at the end.
    Both run in that thread: nothing is read until they return.
    """

    def __init__(self, sock):
        self.sock = sock
        self.inq = queue.Queue()
        self.lock = threading.Lock()
        self.pump = threading.Thread(target=self._pump, daemon=True)
        self.pump.start()

    def send(self, obj):
        """Sends obj, from any thread. It waits as long as the peer does not read."""
        data = pickle.dumps(obj, protocol=4)
        with self.lock:
            self.sock.sendall(HEADER.pack(len(data)) + data)

    def recv(self):
        """The next object, or None at the end."""
        return self.inq.get()

    def process(self, obj):
        self.inq.put(obj)

    def on_close(self):
        self.inq.put(None)

    def close(self):
        """Says that no more will come. What the peer still sends is read."""
        self.sock.shutdown(socket.SHUT_WR)

    def _pump(self):
        try:
            while True:
                (size,) = HEADER.unpack(self._exactly(HEADER.size))
                self.process(pickle.loads(self._exactly(size)))
        except EOFError:
            pass
        finally:
            self.on_close()

    def _exactly(self, n):
        data = bytearray()
        while len(data) < n:
            piece = self.sock.recv(min(n - len(data), 1 << 16))
            if not piece:
                raise EOFError
            data += piece
        return bytes(data)


def connect(address):
    return QueueSocket(socket.create_connection(address))


def listen(address=("127.0.0.1", 0)):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(address)
    sock.listen()
    return sock
