"""Does with connections what the test asks for, one line of JSON each, and says in one what came of it."""

import concurrent.futures
import json
import select
import sys
import threading
import time

sys.path.insert(0, sys.argv[1])
import named  # noqa: E402


def fail():
    raise ConnectionError("held")


def fill(conn):
    try:
        while True:
            conn.send(bytes(conn.peer_max))
    except OSError:
        pass


def numbers(session, count):
    """Sends the numbers from 1 to count, and says whether the same have come. They are of different lengths."""

    def send():
        for i in range(1, count + 1):
            session.send(b"%d" % i + b" " * (i % 300))
        session.end_sending()

    threading.Thread(target=send, daemon=True).start()
    come = [int(payload) for payload in session.messages()]
    return "all" if come == list(range(1, count + 1)) else come


def do(conn, what):
    what, _, argument = what.partition(" ")
    if what == "send":
        conn.send(argument.encode())
    elif what == "read":
        return [payload.decode() for payload in conn.messages()]
    elif what == "fill":  # the buffers of both ends, in a thread that does not come to an end
        threading.Thread(target=fill, args=[conn], daemon=True).start()
        while select.select([], [conn.sock], [], 0.05)[1]:
            pass
    elif what == "wait":  # until the peer has acknowledged so many messages
        with conn.changed:
            conn.changed.wait_for(lambda: conn.gone == int(argument))
    elif what == "follow":  # reads until join
        conn.follower = concurrent.futures.ThreadPoolExecutor(1).submit(do, conn, "read")
    elif what == "join":
        return conn.follower.result()
    elif what == "hold":  # dials in vain until release
        conn.held, conn.dial = conn.dial, fail
    elif what == "release":
        conn.dial = conn.held
    elif what == "down":
        while conn.conn.sock.fileno() >= 0:
            time.sleep(0.001)
    elif what == "left":
        return [(payload.decode(), perhaps) for payload, perhaps in conn.unacknowledged()]
    elif what == "numbers":
        return numbers(conn, int(argument))
    elif what == "end":
        conn.end_sending()
    elif what == "close":
        return conn.close()
    return None


for line in sys.stdin:
    task = json.loads(line)
    results, conn = [], None
    named.HANDSHAKE_TIMEOUT, named.FRAME_TIMEOUT, named.CLOSE_TIMEOUT = task["timeouts"]
    address, keep = ("127.0.0.1", task["port"]), task.get("session")
    if keep:
        named.ACK_AFTER, named.FIRST_PAUSE, named.LONGEST_PAUSE = task["pauses"]
    try:
        if keep:
            conn = named.Session(address, "text/1", "text", keep, heartbeat=task["heartbeat"])
        else:
            conn = named.Conn(address, "text/1", "text", heartbeat=task["heartbeat"])
        results.append("connected")
    except OSError as err:
        results.append(f"{type(err).__name__}: {err}")
    for step in task["steps"] or [] if conn else []:
        try:
            results.append(f"{step}: {do(conn, step)}")
        except (OSError, ValueError) as err:
            code = f" {err.code}" if getattr(err, "code", 0) else ""
            results.append(f"{step}: {type(err).__name__}{code}: {err}")
    if conn and not keep:
        conn.sock.close()
    print(json.dumps(results), flush=True)
