"""What a program in Python may send, as the package msgpack writes it by itself."""

import msgpack

FIELDS = ["Int", "Uint", "Float", "Flag", "Text", "Blob", "Time", "List", "Map", "Keys", "Next", "Any"]


def pack(value):
    return msgpack.packb(value)


def unpack(payload):
    """raw=False makes str of text, strict_map_key=False takes other keys, and timestamp=0 keeps the nanoseconds."""
    return msgpack.unpackb(payload, raw=False, strict_map_key=False, timestamp=0)


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
    "time 32": {"Time": msgpack.Timestamp(5)},
    "time 64": {"Time": msgpack.Timestamp(5, 999_999_999)},
    "time 96": {"Time": msgpack.Timestamp(2**34, 1)},
    "before 1970": {"Time": msgpack.Timestamp(-1, 999_999_999)},
    "text for a time": {"Time": "2020-01-01T00:00:00Z"},
    "int for a time": {"Time": 5},
    "nil for each field": dict.fromkeys(FIELDS),
    "no fields": {},
    "nil for the message": None,
    "nil in a list": {"List": [1, None]},
    "str for bytes": {"Blob": "é"},
    "bin for text": {"Text": "é".encode()},
    "bin that is no UTF-8 for text": {"Text": b"\xff"},
    "text of four bytes": {"Text": "😀"},
    "int for text": {"Text": 5},
    "int keys": {"Keys": {1: "a", -1: "b"}},
    "int keys in an any": {"Any": {1: "a"}},
    "int keys for str keys": {"Map": {1: 2}},
    "an unknown key": {"Int": 5, "New": ["x"]},
    "an unknown extension for an unknown key": {"New": msgpack.ExtType(5, b"\x01"), "Int": 5},
    "an unknown extension in an any": {"Any": msgpack.ExtType(5, b"\x01")},
    "list for a map": {"Map": []},
}


def payload(name):
    return pack(OFFERS[name])
