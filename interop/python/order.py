"""A client in a named protocol: order.py PORT"""

import os
import sys

import msgpack

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "python"))
import named  # noqa: E402

conn = named.Conn(("127.0.0.1", int(sys.argv[1])), "orders/1", "msgpack")
order = {
    "ID": 2**53 + 1,
    "Price": 5.0,  # a float: 5 would be sent as an int, which a float64 takes, too
    "Placed": msgpack.Timestamp(1767323045, 123456789),  # a datetime has no nanoseconds
    "Note": None,
    "Blob": b"\xff",  # bytes, not str
}
conn.send(msgpack.packb(order))
for payload in conn.messages():
    # raw: text as str; strict_map_key: keys that are ints; timestamp=0: with nanoseconds
    order = msgpack.unpackb(payload, raw=False, strict_map_key=False, timestamp=0)
    placed, note = order["Placed"], order["Note"]
    print(order["ID"], f"{order['Price']:g}", placed.seconds, placed.nanoseconds, note, str(order["Blob"] is None).lower())
    break
if not conn.close():
    sys.exit("the peer has not confirmed the order")
