#!/usr/bin/env python3
"""A peer of the Go program beside it.

    peer.py client HOST PORT COUNT    sends COUNT orders to the gateway, while the answers arrive
    peer.py server                    prints its port, and answers the orders of one client
"""

import datetime
import decimal
import sys
import threading

import queuesocket


def order(number):
    return {
        "kind": "order",
        "id": number,
        "symbol": "BTC-USDT",
        "quantity": number % 7 - 3,
        "price": decimal.Decimal(number) / 100,
        "placed": datetime.datetime.fromtimestamp(number, datetime.timezone.utc),
        "tags": {"python", "%d" % (number % 10)},
    }


def client(host, port, count):
    sock = queuesocket.connect((host, port))

    def send():
        for number in range(count):
            sock.send(order(number))
        sock.close()

    sender = threading.Thread(target=send)
    sender.start()
    for number in range(count):
        answer = sock.recv()
        want = dict(order(number), kind="answer", quantity=-order(number)["quantity"])
        if answer != want:
            sys.exit("answer %r, want %r" % (answer, want))
    if sock.recv() is not None:
        sys.exit("more than %d answers" % count)
    sender.join()
    print("ok", count)


class Server(queuesocket.QueueSocket):
    """Answers in the thread that reads: it reads nothing while send waits."""

    answered = 0

    def process(self, obj):
        obj["kind"] = "answer"
        obj["quantity"] = -obj["quantity"]
        self.send(obj)
        self.answered += 1

    def on_close(self):
        self.close()


def server():
    with queuesocket.listen() as listener:
        print(listener.getsockname()[1], flush=True)
        sock, _ = listener.accept()
        peer = Server(sock)
        peer.pump.join()
        print("ok", peer.answered)


if __name__ == "__main__":
    if sys.argv[1] == "client":
        client(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        server()
