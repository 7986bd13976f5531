#!/usr/bin/env python3
"""Does what the tests in tests/interop ask for, a line each, with examples/python: tests/interop/doc.go says how."""

import os
import queue
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "python"))
import named  # noqa: E402
import offers  # noqa: E402


def again(payload):
    return offers.pack(offers.unpack(payload))


def same(payload):
    return payload


def echo(conn, answer=again):
    n = 0
    for payload in conn.messages():
        back = answer(payload)
        if back is not None:
            conn.send(back)
            n += 1
    return n


def count(conn):
    return sum(1 for _ in conn.messages())


def send(conn, name):
    payload = offers.payload(name)
    conn.send(payload)
    conn.end_sending()
    return count(conn)


def flood(conn, size):
    def numbers():
        for i in range(size):
            conn.send(offers.pack({"Int": i}))
        conn.end_sending()

    sender = threading.Thread(target=numbers, daemon=True)
    sender.start()
    n = 0
    for payload in conn.messages():
        if offers.unpack(payload)["Int"] != n:
            raise ConnectionError(f"got another number than {n}")
        n += 1
    sender.join()
    return n


def finish(conn):
    for i in range(3):
        conn.send(offers.pack({"Int": i}))
    conn.end_sending()
    return count(conn)


def cut(conn, data):
    conn._write(bytes.fromhex(data))
    conn.sock.shutdown(socket.SHUT_WR)
    return count(conn)


def violate(conn, data):
    conn._write(bytes.fromhex(data))
    return count(conn)


def send_bytes(conn, n):
    conn.send(b"x" * n)
    return echo(conn, same)


def union(conn):
    def answer(payload):
        return payload[:1] + again(payload[1:]) if payload[0] == 1 else None

    conn.send(b"\x09" + offers.pack({"New": True}))
    conn.send(b"\x01" + offers.pack({"Int": 1}))
    return echo(conn, answer)


CASES = {
    "echo": lambda conn, _: echo(conn),
    "idle": lambda conn, _: echo(conn),
    "torn": lambda conn, _: echo(conn),
    "other": lambda conn, _: count(conn),
    "takes": lambda conn, _: echo(conn, same),
    "send": send,
    "flood": lambda conn, n: flood(conn, int(n)),
    "finish": lambda conn, _: finish(conn),
    "close": lambda conn, _: 0,
    "cut": cut,
    "violate": violate,
    "bytes": lambda conn, n: send_bytes(conn, int(n)),
    "union": lambda conn, _: union(conn),
}
HELLOS = {
    "bytes": ("bytes/1", "raw"),
    "takes": ("bytes/1", "raw"),
    "other": ("values/2", "msgpack"),
    "union": ("events/1", "union(msgpack)"),
}


def run(name, argument, address):
    proto, codec = HELLOS.get(name, ("values/1", "msgpack"))
    conn = None
    try:
        conn = named.Conn(address, proto, codec, max_frame=int(argument) if name == "takes" else 1 << 20)
        n = CASES[name](conn, argument)
        conn.close()
        return f"{n} clean"
    except named.Refused:
        return "0 refused"
    except named.RemoteError as err:
        conn and conn.close()
        return f"0 code {err.code}" if err.code else "0 refused"
    except named.Violation:
        return "0 violation"
    except (OverflowError, ValueError):
        conn.close()
        return "cannot"
    except OSError:
        return "0 lost"


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
    role, port, name, argument = (line.rstrip("\n") + " ").split(" ", 3)
    argument = argument.rstrip(" ")
    if role == "client":
        said = run(name, argument, ("127.0.0.1", int(port)))
    else:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            print("READY", listener.getsockname()[1], flush=True)
            while True:  # torn: connections until one has had a message
                said = run(name, argument, listener.accept()[0])
                if name != "torn" or said[0] != "0":
                    break
    print("DONE", said, flush=True)
