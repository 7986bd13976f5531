#!/usr/bin/env python3
"""Does what the tests in tests/interop ask for, a line each, with pickles: tests/interop/doc.go says how.

It sends and answers as a program of the original package does: from the thread that reads.
"""

import datetime
import decimal
import os
import queue
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "original"))
import queuesocket  # noqa: E402

UTC = datetime.timezone.utc
FIELDS = ["Int", "Uint", "Float", "Flag", "Text", "Blob", "Time", "List", "Map", "Keys", "Next", "Any"]
OFFERS = {
    "2^31": {"Int": 2**31},
    "-2^31-1": {"Int": -(2**31) - 1},
    "2^32": {"Int": 2**32},
    "2^53+1": {"Int": 2**53 + 1},
    "2^63-1": {"Int": 2**63 - 1},
    "-2^63": {"Int": -(2**63)},
    "2^63": {"Int": 2**63},
    "uint 2^63": {"Uint": 2**63},
    "uint 2^64-1": {"Uint": 2**64 - 1},
    "uint 2^64": {"Uint": 2**64},
    "uint -1": {"Uint": -1},
    "float 5 for an int": {"Int": 5.0},
    "int 5 for a float": {"Float": 5},
    "int 2^53+1 for a float": {"Float": 2**53 + 1},
    "1.5": {"Float": 1.5},
    "Decimal for a float": {"Float": decimal.Decimal(1)},
    "datetime": {"Time": datetime.datetime(2020, 1, 1, tzinfo=UTC)},
    "datetime elsewhere": {"Time": datetime.datetime(2020, 1, 1, 5, tzinfo=datetime.timezone(datetime.timedelta(hours=5)))},
    "before 1970": {"Time": datetime.datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC)},
    "datetime without a timezone": {"Time": datetime.datetime(2020, 1, 1)},
    "date for a time": {"Time": datetime.date(2020, 1, 1)},
    "int for a time": {"Time": 5},
    "nil for each field": dict.fromkeys(FIELDS),
    "no fields": {},
    "nil for the message": None,
    "nil in a list": {"List": [1, None]},
    "bytes": {"Blob": b"\xff"},
    "bytearray": {"Blob": bytearray(b"\xff")},
    "str for bytes": {"Blob": "é"},
    "bytes for text": {"Text": "é".encode()},
    "text of four bytes": {"Text": "😀"},
    "int for text": {"Text": 5},
    "int keys": {"Keys": {1: "a", -1: "b"}},
    "int keys for str keys": {"Map": {1: 2}},
    "an unknown key": {"Int": 5, "New": ["x"]},
    "tuple for a list": {"List": (1, 2)},
    "a class": {"Any": decimal.Context},
    "list for a map": {"Map": []},
}


class Peer(queuesocket.QueueSocket):
    """Counts what comes, and ends when the peer has."""

    def __init__(self, sock, case):
        self.case, self.count, self.how = case, 0, "clean"
        super().__init__(sock)

    def process(self, obj):
        if self.case == "flood" and obj["Int"] != self.count:
            self.how = "another number"
        if self.case in ("echo", "torn"):
            self.send(obj)
        self.count += 1

    def on_close(self):
        pass

    def _pump(self):
        try:
            super()._pump()
        except (OSError, EOFError):
            self.how = "lost"


def run(case, argument, sock):
    peer = Peer(sock, case)
    try:
        if case == "send":
            peer.send(OFFERS[argument])
        elif case == "flood":
            for i in range(int(argument)):
                peer.send({"Int": i})
        elif case == "finish":
            for i in range(3):
                peer.send({"Int": i})
        elif case == "cut":
            sock.sendall(bytes.fromhex(argument))
        if case not in ("echo", "torn"):
            peer.close()
        peer.pump.join()
        if case in ("echo", "torn"):
            peer.close()
    except OSError:
        peer.how = "lost"
    sock.close()
    return f"{peer.count} {peer.how}"


def tasks():
    """Yields the lines of the standard input. The process ends with that, whatever a task waits for."""
    lines = queue.Queue()

    def read():
        for line in sys.stdin:
            lines.put(line)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    while True:
        yield lines.get()


for line in tasks():
    role, port, case, argument = (line.rstrip("\n") + " ").split(" ", 3)
    argument = argument.rstrip(" ")
    if role == "client":
        said = run(case, argument, socket.create_connection(("127.0.0.1", int(port))))
    else:
        with queuesocket.listen() as listener:
            print("READY", listener.getsockname()[1], flush=True)
            while True:  # torn: connections until one has had a message
                said = run(case, argument, listener.accept()[0])
                if case != "torn" or said[0] != "0":
                    break
    print("DONE", said, flush=True)
