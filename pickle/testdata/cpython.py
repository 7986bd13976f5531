"""CPython's side of cpython_test.go.

    cpython.py write SEED COUNT    writes COUNT random values, each with protocols 2 to 5: a line has the
                                   pickle in hexadecimal, a space, and the text of the value
    cpython.py read                reads pickles, in hexadecimal, and writes the texts of their values
    cpython.py repr                the same, and writes what Python shows of them
    cpython.py eval                reads expressions, and writes the pickles of their values, in hexadecimal
"""
import collections
import datetime
import decimal
import fractions
import io
import pickle
import pickletools
import random
import struct
import sys

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
MICRO = datetime.timedelta(microseconds=1)


def text(v):
    """The text of a value: two are equal, and of one type, if their texts are."""
    if v is None:
        return "n"
    if isinstance(v, bool):
        return "t" if v else "f"
    if isinstance(v, int):
        return "i%x" % v
    if isinstance(v, float):
        return "dnan" if v != v else "d" + struct.pack(">d", v).hex()
    if isinstance(v, str):
        return "s" + v.encode("utf-8").hex()
    if isinstance(v, (bytes, bytearray)):
        return "b" + v.hex()
    if isinstance(v, (list, tuple)):
        return "[" + ",".join(map(text, v)) + "]"
    if isinstance(v, dict):
        return "{" + ",".join(sorted(text(k) + ":" + text(e) for k, e in v.items())) + "}"
    if isinstance(v, (set, frozenset)):
        return "<" + ",".join(sorted(map(text, v))) + ">"
    if isinstance(v, datetime.datetime):
        return "T%d%+d" % ((v - EPOCH) // MICRO, v.utcoffset().total_seconds())
    if isinstance(v, datetime.date):
        return "D" + v.isoformat()
    if isinstance(v, datetime.time):
        return "C%d" % (((v.hour * 60 + v.minute) * 60 + v.second) * 1000000 + v.microsecond)
    if isinstance(v, datetime.timedelta):
        return "P%d" % (v // MICRO)
    if isinstance(v, decimal.Decimal):
        return "M%s" % v
    raise TypeError(type(v))


class Tree:
    """Makes random values; parts of one can occur in it more than once."""

    def __init__(self, seed):
        self.r = random.Random(seed)
        self.made = []

    def int(self):
        n = 1 << self.r.choice([0, 7, 8, 15, 16, 31, 32, 53, 62, 63, 64, 65, 127, 2040, 2048, 3000])
        return self.r.choice([n, -n]) + self.r.randrange(-2, 3)

    def str(self):
        n = self.r.choice([0, 1, 3, 10, 40, 255, 256])
        if self.r.random() < 0.005:
            n = 70000
        return "".join(self.r.choice("abcxyz é€\n\0\U0001f600") for _ in range(n))

    def bytes(self):
        n = self.r.choice([0, 1, 10, 255, 256])
        if self.r.random() < 0.005:
            n = 70000
        return bytes(self.r.randrange(256) for _ in range(n))

    def float(self):
        return self.r.choice([0.0, -0.0, 1.5, -2.0, float("inf"), float("-inf"), float("nan"), 5e-324, self.r.random(), 2.0**64])

    def delta(self):
        return datetime.timedelta(self.r.randrange(-106750, 106750), self.r.randrange(86400), self.r.randrange(1000000))

    def date(self):
        return datetime.date.fromordinal(self.r.randrange(1, datetime.date.max.toordinal() + 1))

    def time(self):
        return datetime.time(self.r.randrange(24), self.r.randrange(60), self.r.randrange(60), self.r.randrange(1000000))

    def datetime(self):
        minutes = self.r.choice([0, 0, 60, -300, 345, 1439, -1439])
        zone = datetime.timezone(datetime.timedelta(minutes=minutes))
        t = datetime.datetime.combine(self.date(), self.time()).replace(tzinfo=zone)
        return t.replace(fold=self.r.randrange(2))

    def decimal(self):
        return decimal.Decimal(self.r.choice(["0", "1.50", "-1E+3", "NaN", "-Infinity", "sNaN12", "12345678901234567890.123", "1E-7"]))

    def scalar(self):
        return self.r.choice([lambda: None, lambda: self.r.random() < 0.5, self.int, self.float, self.str, self.bytes,
                              lambda: bytearray(self.bytes()), self.delta, self.date, self.time, self.datetime, self.decimal])()

    def key(self):
        small = lambda: self.r.randrange(-1 << 63, 1 << 63)
        return self.r.choice([lambda: None, lambda: self.r.random() < 0.5, small, self.r.random, self.str, self.delta, self.date, self.time])()

    def value(self, depth=0):
        if self.made and self.r.random() < 0.2:
            return self.r.choice(self.made)
        if depth > 5 or self.r.random() < 0.5:
            v = self.scalar()
        else:
            n = self.r.choice([0, 1, 2, 3, 4, 8])
            if self.r.random() < 0.01:
                n = 2500
            v = self.container(n, depth + 1)
        self.made.append(v)
        return v

    def container(self, n, depth):
        if n > 8:
            items = lambda: (self.r.randrange(1 << 20) for _ in range(n))
            key = str
        else:
            items = lambda: (self.value(depth) for _ in range(n))
            key = self.key
        kind = self.r.randrange(6)
        if kind == 0:
            return tuple(items())
        if kind == 1:
            return set(self.key() for _ in range(n))
        if kind == 2:
            return frozenset(self.key() for _ in range(n))
        if kind == 3 and n > 8:
            return {str(k): k for k in items()}
        if kind == 3:
            return {self.key(): self.value(depth) for _ in range(n)}
        if kind == 4:
            return {self.str(): self.value(depth) for _ in range(min(n, 8))}
        return list(items())


def pickled(v, protocol, r):
    how = r.randrange(4)
    if how == 0:  # the pickler that is written in Python
        out = io.BytesIO()
        pickle._Pickler(out, protocol).dump(v)
        return out.getvalue()
    b = pickle.dumps(v, protocol)
    return pickletools.optimize(b) if how == 1 else b


def evaluated(expression):
    """The value of an expression in docs/pickle.md."""
    names = {"itself": [], "nested": [], "collections": collections, "datetime": datetime, "decimal": decimal, "fractions": fractions}
    names["itself"].append(names["itself"])
    for _ in range(100):
        names["nested"] = [names["nested"]]
    return eval(expression, names)


def main(args):
    for stream in sys.stdin, sys.stdout:
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8")
    if args[0] != "write":
        for line in sys.stdin:
            line = line.strip()
            if args[0] == "read":
                print(text(pickle.loads(bytes.fromhex(line))))
            elif args[0] == "repr":
                print(repr(pickle.loads(bytes.fromhex(line))))
            else:
                print(pickle.dumps(evaluated(line), 4).hex())
        return
    seed, count = int(args[1]), int(args[2])
    for i in range(count):
        tree = Tree(seed * 1000003 + i)
        v = tree.value()
        for protocol in range(2, min(5, pickle.HIGHEST_PROTOCOL) + 1):
            print(pickled(v, protocol, tree.r).hex(), text(v))


main(sys.argv[1:])
