"""What docs/interop.md says of Python's package msgpack and of Twisted."""

import datetime

import msgpack
from twisted.protocols import basic


def refused(make):
    try:
        make()
    except (OverflowError, ValueError):
        return True
    return False


NANOSECOND = msgpack.packb(msgpack.Timestamp(5, 1))

assert refused(lambda: msgpack.packb(2**64))
assert refused(lambda: msgpack.unpackb(msgpack.packb({1: 2})))  # without strict_map_key=False
assert msgpack.unpackb(NANOSECOND, timestamp=0).nanoseconds == 1
assert msgpack.unpackb(NANOSECOND, timestamp=3) == datetime.datetime.fromtimestamp(5, datetime.timezone.utc)
assert msgpack.packb(1.5)[0] == 0xCB  # a float64
assert msgpack.packb(1.5, use_single_float=True)[0] == 0xCA  # a float32
assert basic.Int32StringReceiver.MAX_LENGTH == 99_999
assert basic.Int16StringReceiver.structFormat == "!H" and basic.Int8StringReceiver.structFormat == "!B"
