#!/usr/bin/env python3
"""A client of the order gateway in examples/orders, in Python.

    go run ./examples/orders -listen 127.0.0.1:7070
    python3 examples/python/orders.py 127.0.0.1:7070

It sends pairs of orders that trade with each other, waits for the answers and the
fills, and checks that they add up. The messages are those of
examples/orders/market: a tag of one byte and a map in MessagePack.
"""

import sys
import threading

import msgpack

import named

PROTO, CODEC = "orders/1", "union(msgpack)"
ORDER, ACCEPTED, REJECTED, FILL, CANCELLED, PRICE = range(1, 7)
BUY, SELL = 1, 2


def encode(tag, **fields):
    return bytes([tag]) + msgpack.packb(fields)


def decode(payload):
    """Returns tag and message. The tags here are below 128, so one byte is all of the uvarint."""
    if not payload:
        raise ConnectionError("message without a tag")
    tag = payload[0]
    if tag > PRICE:
        return tag, {}  # of a later version, and not for us
    try:
        message = msgpack.unpackb(payload[1:], raw=False)
    except (ValueError, msgpack.UnpackException) as err:
        raise ConnectionError(f"message with the tag {tag}: {err}") from err
    if not isinstance(message, dict):
        raise ConnectionError(f"message with the tag {tag}: want a map, got {message!r}")
    return tag, message


def number(message, key):
    """Returns a number of the message. One that is zero may be missing, or nil."""
    value = message.get(key) or 0
    if type(value) is not int:
        raise ConnectionError(f"{key}: want an integer, got {value!r}")
    return value


def main(address, pairs):
    host, _, port = address.rpartition(":")
    conn = named.Conn((host, int(port)), PROTO, CODEC)
    quantity, sent = 10, 0

    def stream():  # a thread of its own: the gateway stops reading from a client that does not read
        nonlocal sent
        try:
            while sent < 2 * pairs and not conn.going_away.is_set():
                side = SELL if sent % 2 else BUY
                conn.send(encode(ORDER, id=sent + 1, sym="RYE", side=side, qty=quantity, limit=20_000))
                sent += 1
            conn.end_sending()
        except OSError:
            pass  # the receiver below knows the cause

    sender = threading.Thread(target=stream, daemon=True)
    sender.start()
    answered = filled = cancelled = rejected = prices = 0
    for payload in conn.messages():
        tag, message = decode(payload)
        if tag == ACCEPTED:
            answered += 1
        elif tag == REJECTED:
            answered += 1
            rejected += quantity
        elif tag == FILL:
            filled += number(message, "qty")
        elif tag == CANCELLED:
            cancelled += number(message, "qty")
        elif tag == PRICE:
            prices += 1
    sender.join()
    confirmed = conn.close()

    print(f"{answered} of {sent} orders answered, {filled} filled, {cancelled} cancelled, {rejected} rejected, {prices} prices")
    if answered != sent or filled + cancelled + rejected != sent * quantity:
        sys.exit("the answers do not add up")
    if not confirmed:
        sys.exit("the gateway has not confirmed that it took every order")
    print("verified")


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3:
        sys.exit("usage: orders.py HOST:PORT [PAIRS]")
    try:
        main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1000)
    except OSError as err:
        sys.exit(f"orders.py: {err}")
