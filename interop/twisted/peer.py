#!/usr/bin/env python3
"""Does what the tests in tests/interop ask for, a line each, with Twisted's receivers: tests/interop/doc.go says how.

    peer.py int32        Int32StringReceiver
    peer.py netstring    NetstringReceiver
"""

import os
import sys

import msgpack
from twisted.internet import endpoints, error, protocol, reactor, stdio, task
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.protocols import basic
from zope.interface import implementer

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "python"))
import offers  # noqa: E402

RECEIVERS = {"int32": basic.Int32StringReceiver, "netstring": basic.NetstringReceiver}


@implementer(IHalfCloseableProtocol)
class Peer(RECEIVERS[sys.argv[1]]):
    """One connection. Without IHalfCloseableProtocol, Twisted drops what it has to send as soon as the peer has ended."""

    MAX_LENGTH = 1 << 20
    ending = ""  # what came of it, if that is known already
    count = 0

    def connectionMade(self):
        self.transport.setTcpNoDelay(True)
        getattr(self, "begin_" + self.factory.case, lambda _: None)(self.factory.argument)

    def stringReceived(self, payload):
        getattr(self, "hear_" + self.factory.case, self.hear)(payload)
        self.count += 1

    def lengthLimitExceeded(self, length=0):
        self.ending = f"{self.count} too large"
        self.transport.loseConnection()

    def readConnectionLost(self):
        self.transport.loseConnection()  # writes what is left, and closes

    def writeConnectionLost(self):
        pass

    def connectionLost(self, reason):
        how = "clean" if reason.check(error.ConnectionDone) else "lost"
        self.factory.over(self.count, self.ending or f"{self.count} {how}")

    # What comes.

    def hear(self, payload):
        pass

    def hear_echo(self, payload):
        self.sendString(offers.pack(offers.unpack(payload)))

    hear_torn = hear_echo

    def hear_bytes(self, payload):
        self.sendString(payload)

    hear_takes = hear_bytes

    def hear_flood(self, payload):
        if offers.unpack(payload)["Int"] != self.count:
            self.transport.abortConnection()

    # What is sent first.

    def begin_takes(self, argument):
        self.MAX_LENGTH = int(argument)

    def begin_bytes(self, argument):
        self.sendString(b"x" * int(argument))

    def begin_send(self, name):
        try:
            self.sendString(offers.payload(name))
        except OverflowError:
            self.ending = "cannot"
        self.transport.loseWriteConnection()

    def begin_finish(self, _):
        for i in range(3):
            self.sendString(offers.pack({"Int": i}))
        self.transport.loseWriteConnection()

    def begin_close(self, _):
        self.transport.loseWriteConnection()

    def begin_cut(self, data):
        self.transport.write(bytes.fromhex(data))
        self.transport.loseWriteConnection()

    def begin_flood(self, size):
        def send():
            for i in range(int(size)):
                self.sendString(offers.pack({"Int": i}))
                if i % 100 == 99:
                    yield  # the reactor reads meanwhile
            self.transport.loseWriteConnection()

        task.cooperate(send())


class Task(protocol.Factory):
    """A connection, or several of them until one has had a message."""

    protocol = Peer
    noisy = False

    def __init__(self, case, argument, done):
        self.case, self.argument, self.done = case, argument, done

    def over(self, count, said):
        if self.case != "torn" or count:
            self.done(said)


class Tasks(basic.LineReceiver):
    delimiter = b"\n"

    def lineReceived(self, line):
        role, port, case, argument = (line.decode() + " ").split(" ", 3)
        argument = argument.rstrip(" ")
        if role == "client":
            peer = Task(case, argument, self.done)
            return endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", int(port)).connect(peer)
        listening = reactor.listenTCP(0, Task(case, argument, lambda said: self.close(listening, said)), interface="127.0.0.1")
        self.say(f"READY {listening.getHost().port}")

    def close(self, listening, said):
        listening.stopListening()
        self.done(said)

    def done(self, said):
        self.say("DONE " + said)

    def say(self, text):
        self.sendLine(text.encode())

    def connectionLost(self, reason=None):
        if reactor.running:
            reactor.stop()


stdio.StandardIO(Tasks())
reactor.run()
