"""Does with connections what the test asks for, one line of JSON each, and says in one what came of it."""

import json
import select
import sys
import threading

sys.path.insert(0, sys.argv[1])
import named  # noqa: E402


def fill(conn):
    try:
        while True:
            conn.send(bytes(conn.peer_max))
    except OSError:
        pass


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
    elif what == "end":
        conn.end_sending()
    elif what == "close":
        return conn.close()
    return None


for line in sys.stdin:
    task = json.loads(line)
    results, conn = [], None
    named.HANDSHAKE_TIMEOUT, named.FRAME_TIMEOUT, named.CLOSE_TIMEOUT = task["timeouts"]
    try:
        conn = named.Conn(("127.0.0.1", task["port"]), "text/1", "text", heartbeat=task["heartbeat"])
        results.append("connected")
    except OSError as err:
        results.append(f"{type(err).__name__}: {err}")
    for step in task["steps"] or [] if conn else []:
        try:
            results.append(f"{step}: {do(conn, step)}")
        except (OSError, ValueError) as err:
            code = f" {err.code}" if getattr(err, "code", 0) else ""
            results.append(f"{step}: {type(err).__name__}{code}: {err}")
    if conn:
        conn.sock.close()
    print(json.dumps(results), flush=True)
